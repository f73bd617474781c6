package respondio

// Address is the base of what the vendor is asked; "" where the settings hold
// no credentials for it.
func (s *Source) Address() string {
	if s.client == nil {
		return ""
	}
	return s.client.Address()
}
