package connectors

// Account is a Connector that tells where its CRM is asked and how much it may
// still ask there. Nothing is sent for it.
type Account interface {
	// Address is the base of what is asked, such as https://api.hubapi.com.
	Address() string
	// Limits are the limits as far as they are known now.
	Limits() []Limit
}

// Limit is how many requests an account may still send.
type Limit struct {
	Name string `json:"name"` // window, search or day
	Left int    `json:"left"` // requests; of Pipedrive's day, tokens
	Most int    `json:"most"` // when none is used
}

// The limits that accounts have.
const (
	LimitWindow = "window" // the vendor's short one: a second, two, or ten
	LimitSearch = "search" // that of searches
	LimitDay    = "day"
)
