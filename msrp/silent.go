package msrp

// silent is a request with Failure-Report partial: no response is due, but a refusal may come.
type silent struct {
	id uint64
	d  *Delivery
}

// rememberSilent, under s.mu, notes a request for refusedSilent; the oldest give way.
func (s *Session) rememberSilent(id uint64, d *Delivery) {
	if len(s.silents) < maxSilent {
		s.silents = append(s.silents, silent{id, d})
		return
	}
	s.silents[s.nextSilent] = silent{id, d}
	s.nextSilent = (s.nextSilent + 1) % maxSilent
}

// refusedSilent, under s.mu, takes the refusal of a request that no response was due to.
func (s *Session) refusedSilent(id uint64, err *StatusError) {
	for _, x := range s.silents {
		if x.id != id {
			continue
		}
		if x.d.ended {
			s.reportLate(&Report{MessageID: x.d.id, Code: err.Code, Comment: err.Comment})
		}
		x.d.fail(err)
		return
	}
}
