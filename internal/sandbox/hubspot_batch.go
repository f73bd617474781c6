package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// batchWrite serves batch/create, batch/update and batch/upsert.
//
// Without trace ids one bad input refuses the whole batch. With a distinct
// objectWriteTraceId on each input the good ones are written and the answer is a
// 207 with both. Results come in an order of their own, because HubSpot promises none.
func (h *hubspot) batchWrite(c *call, o *hsObject, kind string) answer {
	var in struct {
		Inputs []hsInput `json:"inputs"`
	}
	if e := hsDecode(c, &in); e != nil {
		return e.answer()
	}
	if e := batchSize(len(in.Inputs)); e != nil {
		return e.answer()
	}
	if e := distinctIDs(in.Inputs, kind); e != nil {
		return e.answer()
	}
	traced := allTraced(in.Inputs)
	claims := hsClaims{}
	plans := make([]*hsPlan, 0, len(in.Inputs))
	failed := []map[string]any{}
	touched := map[*hsRecord]bool{}
	for i, input := range in.Inputs {
		p, e := h.plan(o, kind, input, claims)
		if e == nil && p.record != nil && touched[p.record] {
			e = hsInvalid("Two inputs of the batch stand for object %s.", p.record.id)
		}
		if c.partial != nil && i == len(in.Inputs)-1 {
			e = hsPartial(c.partial, traced)
		}
		if e != nil && !traced {
			return e.answer()
		}
		if e != nil {
			failed = append(failed, e.inBatch(input.Trace))
			continue
		}
		if p.record != nil {
			touched[p.record] = true
		}
		plans = append(plans, p)
	}
	results := make([]map[string]any, 0, len(plans))
	for _, p := range plans {
		out := h.apply(p, c.now).full()
		if kind == "upsert" {
			out["new"] = p.isNew
		}
		if p.trace != "" {
			out["objectWriteTraceId"] = p.trace
		}
		results = append(results, out)
	}
	slices.Reverse(results)
	status := http.StatusOK
	if kind == "create" {
		status = http.StatusCreated
	}
	return batchAnswer(status, c.now, results, failed)
}

func (h *hubspot) plan(o *hsObject, kind string, in hsInput, claims hsClaims) (*hsPlan, *hsError) {
	if kind != "create" && len(in.Assoc) > 0 {
		return nil, hsInvalid("associations can only be given on create")
	}
	switch kind {
	case "create":
		if in.ID != "" || in.IDProperty != "" {
			return nil, hsInvalid("id and idProperty cannot be given on create")
		}
		return h.planCreate(o, in, claims)
	case "upsert":
		return h.planUpsert(o, in, claims)
	}
	if p := o.byName[in.IDProperty]; in.IDProperty != "" && (p == nil || !p.Unique && (o.name != "contacts" || in.IDProperty != "email")) {
		return nil, hsInvalid("Property %q is not a unique property of %s", in.IDProperty, o.name)
	}
	r := o.find(in.IDProperty, in.ID)
	if r == nil {
		return nil, hsNoRecord(in.ID)
	}
	return h.planUpdate(o, r, in, claims)
}

func batchSize(n int) *hsError {
	switch {
	case n == 0:
		return hsInvalid("inputs must not be empty")
	case n > hsMaxBatch:
		return hsInvalid("The maximum number of inputs per request is %d, got %d", hsMaxBatch, n)
	}
	return nil
}

// distinctIDs refuses a batch that names one record twice.
func distinctIDs(inputs []hsInput, kind string) *hsError {
	if kind == "create" {
		return nil
	}
	seen := map[string]bool{}
	for _, in := range inputs {
		key := in.IDProperty + "\x00" + strings.ToLower(in.ID)
		if seen[key] {
			return hsInvalid("Duplicate IDs found in batch input: [%s]. IDs must be unique", in.ID)
		}
		seen[key] = true
	}
	return nil
}

func allTraced(inputs []hsInput) bool {
	seen := map[string]bool{}
	for _, in := range inputs {
		if in.Trace == "" || seen[in.Trace] {
			return false
		}
		seen[in.Trace] = true
	}
	return true
}

func batchAnswer(status int, now time.Time, results, failed []map[string]any) answer {
	if results == nil {
		results = []map[string]any{}
	}
	body := map[string]any{"status": "COMPLETE", "results": results, "startedAt": isoTime(now), "completedAt": isoTime(now)}
	if len(failed) > 0 {
		status = http.StatusMultiStatus
		body["numErrors"], body["errors"] = len(failed), failed
	}
	return jsonAnswer(status, body)
}

func (h *hubspot) batchRead(c *call, o *hsObject) answer {
	var in struct {
		Inputs []struct {
			ID hsID `json:"id"`
		} `json:"inputs"`
		IDProperty string   `json:"idProperty"`
		Properties []string `json:"properties"`
		History    []string `json:"propertiesWithHistory"`
	}
	if e := hsDecode(c, &in); e != nil {
		return e.answer()
	}
	if e := batchSize(len(in.Inputs)); e != nil {
		return e.answer()
	}
	if p := o.byName[in.IDProperty]; in.IDProperty != "" && (p == nil || !p.Unique && (o.name != "contacts" || in.IDProperty != "email")) {
		return hsInvalid("Property %q is not a unique property of %s", in.IDProperty, o.name).answer()
	}
	var results, failed []map[string]any
	var missing []string
	seen := map[*hsRecord]bool{}
	for _, input := range in.Inputs {
		r := o.find(in.IDProperty, string(input.ID))
		switch {
		case r == nil:
			missing = append(missing, string(input.ID))
		case !seen[r]:
			seen[r] = true
			results = append(results, r.wire(in.Properties))
		}
	}
	if missing != nil {
		e := hsErr(http.StatusNotFound, "OBJECT_NOT_FOUND",
			"Could not get some %s objects, they may be deleted or not exist. Check that ids are valid.", strings.ToUpper(o.singular))
		e.context = map[string][]string{"ids": missing}
		failed = append(failed, e.inBatch(""))
	}
	slices.Reverse(results)
	return batchAnswer(http.StatusOK, c.now, results, failed)
}

func (h *hubspot) batchArchive(c *call, o *hsObject) answer {
	var in struct {
		Inputs []struct {
			ID hsID `json:"id"`
		} `json:"inputs"`
	}
	if e := hsDecode(c, &in); e != nil {
		return e.answer()
	}
	if e := batchSize(len(in.Inputs)); e != nil {
		return e.answer()
	}
	for _, input := range in.Inputs {
		h.archive(o, string(input.ID))
	}
	return answer{status: http.StatusNoContent}
}
