package sandbox

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// sfError is an error as Salesforce tells it: in a list, with errorCode for one
// record and statusCode within a collection.
type sfError struct {
	status  int
	code    string
	message string
	fields  []string
	matches []sfMatch // of DUPLICATES_DETECTED
}

type sfMatch struct {
	object *sfObject
	record *sfRecord
}

func sfErr(status int, code, message string, fields ...string) *sfError {
	return &sfError{status: status, code: code, message: message, fields: fields}
}

// sfBad is an error about what was sent.
func sfBad(code, message string, fields ...string) *sfError {
	return sfErr(http.StatusBadRequest, code, message, fields...)
}

func (e *sfError) Error() string { return e.code + ": " + e.message }

func (e *sfError) answer() answer {
	body := map[string]any{"message": e.message, "errorCode": e.code}
	if e.fields != nil {
		body["fields"] = e.fields
	}
	if e.matches != nil {
		body["duplicateResult"] = e.duplicates()
	}
	return jsonAnswer(e.status, []any{body})
}

// row is the error as the answer for one record of a collection.
func (e *sfError) row() map[string]any {
	fields := e.fields
	if fields == nil {
		fields = []string{}
	}
	one := map[string]any{"statusCode": e.code, "message": e.message, "fields": fields}
	if e.matches != nil {
		one["duplicateResult"] = e.duplicates()
	}
	return map[string]any{"success": false, "errors": []any{one}}
}

func (e *sfError) duplicates() map[string]any {
	var found []any
	for _, m := range e.matches {
		found = append(found, map[string]any{
			"fieldDiffs": []any{}, "matchConfidence": 100.0,
			"record": map[string]any{"attributes": sfAttributes(m.object, m.record.id), "Id": m.record.id},
		})
	}
	object := e.matches[0].object.name
	return map[string]any{
		"allowSave": true, "duplicateRule": "Standard_" + object + "_Duplicate_Rule", "duplicateRuleEntityType": object, "errorMessage": "Use one of these records?",
		"matchResults": []any{map[string]any{
			"entityType": object, "errors": []any{}, "matchEngine": "ExactMatchEngine", "matchRecords": found,
			"rule": "Standard_" + object + "_Match_Rule", "size": len(found), "success": true,
		}},
	}
}

func sfNoResource() *sfError {
	return sfErr(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
}

func sfWrongMethod(method string) *sfError {
	return sfErr(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "HTTP Method '"+method+"' not allowed.")
}

// sfFaultCodes are what Salesforce mostly answers with a status.
var sfFaultCodes = map[int][2]string{
	400: {"FIELD_CUSTOM_VALIDATION_EXCEPTION", "a rule of the org does not allow this"},
	401: {"INVALID_SESSION_ID", "Session expired or invalid"},
	403: {"REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."},
	404: {"NOT_FOUND", "The requested resource does not exist"},
	409: {"DUPLICATE_VALUE", "duplicate value found"},
	500: {"UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId if you contact support"},
	503: {"SERVER_UNAVAILABLE", "Server unavailable"},
}

// sfFaultTexts are the messages of codes that a fault can ask for by name.
var sfFaultTexts = map[string]string{
	"UNABLE_TO_LOCK_ROW":                   "unable to obtain exclusive access to this record or 1 records: ",
	"REQUEST_LIMIT_EXCEEDED":               "TotalRequests Limit exceeded.",
	"CONCURRENT":                           "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
	"QUERY_TIMEOUT":                        "Your query request was running for too long.",
	"STORAGE_LIMIT_EXCEEDED":               "storage limit exceeded",
	"ENTITY_IS_DELETED":                    "entity is deleted",
	"API_DISABLED_FOR_ORG":                 "The REST API is not enabled for this Organization.",
	"API_CURRENTLY_DISABLED":               "API is currently disabled",
	"TXN_SECURITY_NO_ACCESS":               "The operation you requested isn't allowed due to a security policy in your organization.",
	"INSUFFICIENT_ACCESS":                  "insufficient access rights on object id",
	"ORG_IN_MAINTENANCE":                   "The organization is in maintenance",
	"DUPLICATE_EXTERNAL_ID":                "more than one record found for external id field",
	"TOO_MANY_APEX_REQUESTS":               "Unable to process request. Concurrent requests limit exceeded.",
	"INACTIVE_OWNER_OR_USER":               "operation performed with inactive user",
	"INVALID_OPERATION":                    "invalid operation",
	"SERVER_UNAVAILABLE":                   "Server unavailable",
	"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "Trigger: execution of BeforeInsert",
}

// fault is an error asked for. A 401 ends the session that it meets.
func (s *salesforce) fault(c *call, status int, word string) answer {
	if status == http.StatusUnauthorized {
		s.expire(c)
	}
	known, ok := sfFaultCodes[status]
	if !ok && word == "" {
		return htmlAnswer(status)
	}
	if c.path == "/services/oauth2/token" {
		return jsonAnswer(status, map[string]string{"error": "invalid_grant", "error_description": "authentication failure"})
	}
	return sfErr(status, sfFaultCode(known[0], word), sfFaultText(known[1], word)).answer()
}

func sfFaultCode(usual, word string) string {
	switch word {
	case "":
		return usual
	case "CONCURRENT":
		return "REQUEST_LIMIT_EXCEEDED"
	}
	return word
}

func sfFaultText(usual, word string) string {
	if text := sfFaultTexts[word]; text != "" {
		return text
	}
	return usual
}

// sfPartial is the error of the one bad record of a collection.
func sfPartial(f *Fault) *sfError {
	word := ""
	_ = json.Unmarshal(f.Body, &word) // no word: the usual one
	if word == "" && f.Status >= 500 {
		word = "UNABLE_TO_LOCK_ROW"
	}
	usual := sfFaultCodes[400]
	return sfBad(sfFaultCode(usual[0], word), sfFaultText(usual[1], word))
}

func sfMillis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
