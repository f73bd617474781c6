package event

// Vocabulary is what the events of one sender can be, as far as the vendor
// fixes it beforehand. What is told here must be all that ever comes: rules
// that wait for anything else are called mistakes.
type Vocabulary struct {
	Types []Type              // none: any
	Words map[string][]string // by path, such as call.status; a path that is not here can hold anything
}
