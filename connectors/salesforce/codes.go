package salesforce

import (
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// verdict is what a code of Salesforce's means, whatever the status is.
type verdict struct {
	kind    connectors.Kind
	account bool
	park    bool
	wait    time.Duration
	message string
}

var (
	soon      = verdict{kind: connectors.Transient, wait: 5 * time.Second, message: "Salesforce could not do it just now"}
	locked    = verdict{kind: connectors.Transient, wait: 5 * time.Second, message: "another program holds the record or the one above it"}
	away      = verdict{kind: connectors.Transient, account: true, wait: 5 * time.Minute, message: "the org is in maintenance"}
	signIn    = verdict{kind: connectors.Auth, account: true, message: "Salesforce does not accept the session"}
	closed    = verdict{kind: connectors.Auth, account: true, park: true, message: "the org, or its edition, does not allow the API"}
	full      = verdict{kind: connectors.RateLimited, account: true, park: true, message: "the org's storage is full"}
	exhausted = verdict{kind: connectors.RateLimited, account: true, park: true, wait: 15 * time.Minute, message: "the org's API calls of the last 24 hours are used up; they come back bit by bit"}
	crowded   = verdict{kind: connectors.RateLimited, account: true, wait: 30 * time.Second, message: "too many slow requests of the org run at once"}
	gone      = verdict{kind: connectors.NotFound, message: "the record is gone"}
	twice     = verdict{kind: connectors.Conflict, message: "another record has this value already"}
	several   = verdict{kind: connectors.Ambiguous, message: "several records have this key"}
)

// refused is an Invalid verdict with a message.
func refused(message string) verdict {
	return verdict{kind: connectors.Invalid, message: message}
}

// verdicts are the codes that mean something in particular. Every other one is
// Invalid: this record will not be taken as it is. Codes and what they mean are
// from Salesforce's API references, 2026-11.
var verdicts = map[string]verdict{
	"BAD_GATEWAY":                             soon,
	"FUNCTIONALITY_TEMPORARILY_UNAVAILABLE":   soon,
	"INTERNAL_ERROR":                          soon,
	"INVALID_QUERY_LOCATOR":                   soon, // the rest of a long answer was thrown away meanwhile
	"MATCH_RUNTIME_ERROR":                     soon,
	"MATCH_SERVICE_UNAVAILABLE_ERROR":         soon,
	"PROCESSING_HALTED":                       soon, // because of another part of the request
	"ALL_OR_NONE_OPERATION_ROLLED_BACK":       soon,
	"QUERY_TIMEOUT":                           soon,
	"REALTIME_PROCESSING_TIME_EXCEEDED_LIMIT": soon,
	"REQUEST_RUNNING_TOO_LONG":                soon,
	"SERVER_UNAVAILABLE":                      soon,
	"SERVICE_UNAVAILABLE":                     soon,
	"UNKNOWN_EXCEPTION":                       soon,
	"TOO_MANY_APEX_REQUESTS":                  crowded,
	"UNABLE_TO_LOCK_ROW":                      locked,
	"UNABLE_TO_LOCK_RECORD":                   locked,
	"BLOCKED_EXCLUSIVE":                       locked,

	"ORG_IN_MAINTENANCE": away,
	"ORG_LOCKED":         away,
	"INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE": away,

	"REQUEST_LIMIT_EXCEEDED": exhausted,
	"EXCEEDED_QUOTA":         exhausted,
	"STORAGE_LIMIT_EXCEEDED": full,

	"API_CURRENTLY_DISABLED":                  closed,
	"API_DISABLED_FOR_ORG":                    closed,
	"APEX_REST_SERVICES_DISABLED":             closed,
	"TRIAL_EXPIRED":                           closed,
	"UNSUPPORTED_API_VERSION":                 {kind: connectors.Auth, account: true, park: true, message: "the org does not speak this version of the API; mend api_version"},
	"CLIENT_NOT_ACCESSIBLE_FOR_USER":          signIn,
	"INVALID_ACCESS_TOKEN":                    signIn,
	"INVALID_AUTH_HEADER":                     signIn,
	"INVALID_LOGIN":                           signIn,
	"INVALID_OPERATION_WITH_EXPIRED_PASSWORD": signIn,
	"INVALID_SESSION_ID":                      signIn,
	"LOGIN_CHALLENGE_ISSUED":                  signIn,
	"LOGIN_CHALLENGE_PENDING":                 signIn,
	"LOGIN_DURING_RESTRICTED_DOMAIN":          signIn,
	"LOGIN_DURING_RESTRICTED_TIME":            signIn,
	"LOGIN_MUST_USE_SECURITY_TOKEN":           signIn,
	"NO_ACCESS_TOKEN":                         signIn,
	"PASSWORD_LOCKOUT":                        signIn,
	"SESSION_EXPIRED":                         signIn,
	"SESSION_INVALIDATED":                     signIn,
	"TXN_SECURITY_END_A_SESSION":              signIn,
	"TXN_SECURITY_NO_ACCESS":                  signIn,
	"TXN_SECURITY_TWO_FA_REQUIRED":            signIn,

	"ENTITY_IS_DELETED": gone,
	"NOT_FOUND":         gone,
	"RECORD_NOT_FOUND":  gone,

	"DUPLICATES_DETECTED":   {kind: connectors.Conflict, message: "a duplicate rule of the org found this record already"},
	"DUPLICATE_VALUE":       twice,
	"DUPLICATE_EXTERNAL_ID": several,

	"CANNOT_UPDATE_CONVERTED_LEAD":                  refused("the lead was converted, and its contact cannot be found"),
	"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY":          refused("a trigger or flow of the org refuses the record"),
	"ENTITY_IS_LOCKED":                              refused("an approval of the org holds the record"),
	"FIELD_CUSTOM_VALIDATION_EXCEPTION":             refused("a validation rule of the org refuses the record"),
	"FIELD_FILTER_VALIDATION_EXCEPTION":             refused("the org does not offer this record for the field (lookup filter)"),
	"FIELD_INTEGRITY_EXCEPTION":                     refused("the record does not fit together; a task of a lead cannot belong to an account or opportunity, too"),
	"INACTIVE_OWNER_OR_USER":                        refused("the owner is an inactive user"),
	"INSUFFICIENT_ACCESS":                           refused("crmsyncd's user may not do this in the org"),
	"INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": refused("crmsyncd's user may not link to this record, or set this owner or record type"),
	"INSUFFICIENT_ACCESS_OR_READONLY":               refused("crmsyncd's user may not change this record"),
	"INVALID_CROSS_REFERENCE_KEY":                   refused("a record that is named does not exist"),
	"INVALID_EMAIL_ADDRESS":                         refused("Salesforce does not accept the e-mail address"),
	"INVALID_FIELD":                                 refused("the object has no such field, or crmsyncd's user may not see it"),
	"INVALID_FIELD_FOR_INSERT_UPDATE":               refused("crmsyncd's user may not write this field"),
	"INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST":       refused("the value is none of the field's values, or not offered by the record's type"),
	"INVALID_TYPE":                                  refused("the org has no such object, or crmsyncd's user may not see it"),
	"INVALID_TYPE_ON_FIELD_IN_RECORD":               refused("the value is of the wrong type for the field"),
	"JSON_PARSER_ERROR":                             refused("Salesforce cannot read a value"),
	"MALFORMED_ID":                                  refused("an id is none of the right kind of record"),
	"NUMBER_OUTSIDE_VALID_RANGE":                    refused("the number is too large for the field"),
	"REQUIRED_FIELD_MISSING":                        refused("Salesforce wants this field for the record; map it, such as LastName: =contact.last_name ?? contact.phone"),
	"STRING_TOO_LONG":                               refused("the text is too long for the field"),
}

// judge says what a code means; message is read for what the code leaves open
// and never shown.
func judge(code, message string) verdict {
	v, known := verdicts[code]
	switch {
	case code == "REQUEST_LIMIT_EXCEEDED" && strings.Contains(message, "Concurrent"):
		return crowded
	case code == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" && strings.Contains(message, "UNABLE_TO_LOCK_ROW"):
		return locked // a trigger of the org met the lock
	case !known:
		return refused("Salesforce does not accept the record")
	}
	return v
}
