package sandbox

import "strings"

// find looks a record up by its id, a unique property, or a contact's e-mail.
func (o *hsObject) find(property, value string) *hsRecord {
	switch {
	case property == "" || property == "hs_object_id":
		return o.byID[value]
	case o.name == "contacts" && property == "email":
		return o.byEmail(value)
	default:
		return o.unique[property][strings.ToLower(value)]
	}
}

// byEmail also knows a contact's additional addresses.
func (o *hsObject) byEmail(email string) *hsRecord {
	email = strings.ToLower(strings.TrimSpace(email))
	if email == "" {
		return nil
	}
	return o.unique["email"][email]
}

// checkUnique refuses values that another record holds, or that an earlier input
// of the same batch takes.
func (o *hsObject) checkUnique(self *hsRecord, values map[string]string, claims hsClaims) *hsError {
	taken := func(property, value string) (string, bool) {
		r := o.find(property, value)
		if r != nil && r != self {
			return r.id, true
		}
		key := property + "\x00" + strings.ToLower(value)
		if claims[key] {
			return "", true
		}
		claims[key] = true
		return "", false
	}
	if o.name == "contacts" {
		for _, email := range emails(values) {
			if id, is := taken("email", email); is {
				return hsContactExists(id)
			}
		}
	}
	for name := range o.unique {
		value := values[name]
		if value == "" || name == "email" {
			continue
		}
		if id, is := taken(name, value); is {
			return hsBadValues([]hsProblem{newProblem(name, "CONFLICTING_UNIQUE_VALUE",
				"The value of property %q must be unique. It is already used by object %s.", name, orElse(id, "of the same batch"))})
		}
	}
	return nil
}

// emails lists a contact's primary and additional addresses.
func emails(values map[string]string) []string {
	var out []string
	for _, e := range append([]string{values["email"]}, strings.Split(values["hs_additional_emails"], ";")...) {
		if e = strings.ToLower(strings.TrimSpace(e)); e != "" {
			out = append(out, e)
		}
	}
	return out
}

func (o *hsObject) index(r *hsRecord) {
	for name, by := range o.unique {
		if v := r.props[name]; v != "" && name != "email" {
			by[strings.ToLower(v)] = r
		}
	}
	if o.name == "contacts" {
		if o.unique["email"] == nil {
			o.unique["email"] = map[string]*hsRecord{}
		}
		for _, e := range emails(r.props) {
			o.unique["email"][e] = r
		}
	}
}

func (o *hsObject) unindex(r *hsRecord) {
	for name, by := range o.unique {
		if v := r.props[name]; v != "" && by[strings.ToLower(v)] == r {
			delete(by, strings.ToLower(v))
		}
	}
	for _, e := range emails(r.props) {
		if o.unique["email"][e] == r {
			delete(o.unique["email"], e)
		}
	}
}
