package reconcile

// resting are records whose contacts the vendor is done with, as print names them
// with their events: a run that looks only at what may have drifted need not read
// those events again. It is of the process: after a restart all are read once.
type resting struct {
	basis  any // by which they were read
	prints map[uint64]struct{}
}

// restingMost bounds how many are remembered of a connector.
const restingMost = 1_000_000

// rests gives what is known of the target of a run. Only one run has it at a time.
func (r *Reconciler) rests(t Target, basis any) *resting {
	if basis == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.resting == nil {
		r.resting = map[Target]*resting{}
	}
	if known := r.resting[t]; known == nil || known.basis != basis {
		r.resting[t] = &resting{basis: basis, prints: map[uint64]struct{}{}}
	}
	return r.resting[t]
}

// atRest tells whether a record of the roster has no news, and was at rest.
func (p *passage) atRest(at string) bool {
	e := p.roster.entries[at]
	if p.resting == nil || e.recent {
		return false
	}
	_, known := p.resting.prints[e.print(at)]
	return known
}

// rest notes that a record is at rest.
func (p *passage) rest(at string) {
	if e := p.roster.entries[at]; e != nil && p.resting != nil && len(p.resting.prints) < restingMost {
		p.resting.prints[e.print(at)] = struct{}{}
	}
}

// letGo forgets of records what is not so any more.
func (p *passage) letGo() {
	if p.resting == nil || p.roster.after != "" || p.roster.before != "" {
		return
	}
	is := make(map[uint64]struct{}, len(p.resting.prints))
	for at, e := range p.roster.entries {
		print := e.print(at)
		if _, known := p.resting.prints[print]; known {
			is[print] = struct{}{}
		}
	}
	p.resting.prints = is
}
