package mapping

import "strings"

const maxItems = 10_000 // items of a list that a function makes

func listFunctions() []function {
	return []function{
		{Function: Function{"split", "split(text[, separator])", "the text as a list, cut at commas or at the separator; blanks around the items are left out", `split("solar; storage", ";")`, "solar, storage"}, params: []kinds{anyText, kText}, required: 1, result: kList, run: split},
		{Function: Function{"join", "join(list[, separator])", "the list as text, with commas or the separator between the items", `join(call.topics, " + ")`, "solar + storage"}, params: []kinds{kList | kScalar, kText}, required: 1, result: kText, run: join},
		{Function: Function{"list", "list(value, …)", "a list of those arguments that are not missing; lists among them are taken apart", `list(call.topics, contact.company, "new")`, "solar, storage, new"}, params: []kinds{kAny}, required: 1, variadic: true, result: kList, whole: true, run: makeList},
		{Function: Function{"first", "first(list)", "the first item of the list", `first(call.topics)`, "solar"}, params: []kinds{kList | kScalar}, required: 1, result: kAny, run: func(_ *env, _ int, args []any) any { return part(asList(args[0]), 0) }},
		{Function: Function{"last", "last(list)", "the last item of the list", `last(call.topics)`, "storage"}, params: []kinds{kList | kScalar}, required: 1, result: kAny, run: func(_ *env, _ int, args []any) any { return part(asList(args[0]), -1) }},
		{Function: Function{"count", "count(list)", "how many items the list or named values have; 0 if it is missing", `count(call.topics)`, "2"}, params: []kinds{kAny}, required: 1, result: kNumber, whole: true, run: count},
		{Function: Function{"min", "min(value, …)", "the least number, time or duration; missing ones and those that cannot be compared are passed over", `min(3, 1, 2)`, "1"}, params: []kinds{kAny &^ (kMap | kBool)}, required: 1, variadic: true, result: kScalar, whole: true, run: extreme(-1)},
		{Function: Function{"max", "max(value, …)", "the greatest number, time or duration; missing ones and those that cannot be compared are passed over", `max(call.started_at, call.ended_at)`, "2026-03-04T09:32:00Z"}, params: []kinds{kAny &^ (kMap | kBool)}, required: 1, variadic: true, result: kScalar, whole: true, run: extreme(1)},
	}
}

func asList(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case nil:
		return nil
	}
	return []any{v}
}

func split(e *env, at int, args []any) any {
	s := toScalarText(args[0], e.zone)
	sep, _ := argument(args, 1).(string)
	if sep == "" {
		sep = ","
	}
	var items []any
	for part := range strings.SplitSeq(s, sep) {
		if part = strings.TrimSpace(part); part != "" {
			if len(items) == maxItems {
				e.fail(at, "the list would have more than 10000 items")
				return nil
			}
			items = append(items, part)
		}
	}
	if items == nil {
		return nil
	}
	return items
}

func join(e *env, at int, args []any) any {
	sep := ", "
	if len(args) > 1 {
		sep = toScalarText(args[1], e.zone)
	}
	list := asList(args[0])
	if !e.room(size(list)+len(sep)*len(list), at) {
		return nil
	}
	var parts []string
	for _, x := range list {
		if s := toText(normal(x), e.zone); s != "" {
			parts = append(parts, s)
		}
	}
	return e.built(strings.Join(parts, sep), at)
}

func makeList(e *env, at int, args []any) any {
	var items []any
	for _, a := range args {
		if !present(a) {
			continue
		}
		items = append(items, asList(a)...)
		if len(items) > maxItems {
			e.fail(at, "the list would have more than 10000 items")
			return nil
		}
	}
	if items == nil {
		return nil
	}
	return items
}

func count(_ *env, _ int, args []any) any {
	switch v := args[0].(type) {
	case []any:
		return len(v)
	case map[string]any:
		return len(v)
	}
	if present(args[0]) {
		return 1
	}
	return 0
}

// extreme picks the least (sign -1) or greatest (1) of its arguments and of
// the items of lists among them. The first that is a number, time or duration
// says what the others are compared with.
func extreme(sign int) runner {
	return func(e *env, _ int, args []any) any {
		var best any
		consider := func(v any) {
			switch x := v.(type) {
			case string:
				f, ok := parseNumber(x, e.home)
				if !ok {
					return
				}
				v = num(f)
			case bool, []any, map[string]any, nil:
				return
			}
			if best == nil {
				best = v
				return
			}
			if order, ok := e.compare(v, best); ok && order == sign {
				best = v
			}
		}
		for _, a := range args {
			for _, x := range asList(a) {
				consider(normal(x))
			}
		}
		return best
	}
}
