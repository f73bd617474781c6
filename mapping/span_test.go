package mapping

import (
	"strings"
	"testing"
)

func TestNumbersThatExcludeEachOtherAreTold(t *testing.T) {
	t.Parallel()
	const head = "version: 1\nrules:\n  - name: r\n    on: call.ended\n    to: hubspot\n    when: "
	const tail = "\n    records: [{object: calls, match: id, fields: {id: =call.id}}]\n"
	for when, never := range map[string]bool{
		`=call.duration > 60 and call.duration < 30`:                            true,
		`=call.duration > 60 && call.duration <= 60`:                            true,
		`=call.duration >= 60 && call.duration <= 60`:                           false,
		`=call.duration == 10 && call.duration > 20`:                            true,
		`=30 > call.duration && 60 < call.duration`:                             true,
		`=60 > call.duration && 30 < call.duration`:                             false,
		`=minutes(call.duration) > 2 && minutes(call.duration) < 1`:             true,
		`=minutes(call.duration) > 2 && call.duration < 1`:                      false, // not looked at
		`=call.duration > seconds("1h") && call.duration < 60`:                  true,
		`=call.duration > 60 && (call.duration < 30 || call.attempt > 1)`:       false,
		`=call.duration > 60 && (call.duration < 30 || call.duration == 2)`:     true,
		`=(call.duration < 30 || call.duration > 60) && call.duration > 40`:     false,
		`=call.duration > 60 && call.status == "completed" && call.attempt < 3`: false,
		`=call.attempt > 1 && call.duration > 9 && call.attempt < 1`:            true,
		`=!(call.duration > 60) && call.duration > 60`:                          false, // not looked at
		`=call.outcome.n > -1 && call.outcome.n < -2`:                           true,
		`=call.duration != 60 && call.duration > 60`:                            false,
		`=call.outcome.n == "10" && call.outcome.n > 20`:                        false, // as a text it is compared otherwise
	} {
		_, ps := Read([]File{{Name: "m.yaml", Text: []byte(head + "'" + when + "'" + tail)}}, Options{Connectors: map[string]string{"hubspot": "hubspot"}})
		if told := strings.Contains(ps.Error(), "the rule never matches"); told != never || ps.Err() != nil || !never && len(ps) > 0 {
			t.Errorf("%s: %v, want it told: %t", when, ps, never)
		}
	}
}
