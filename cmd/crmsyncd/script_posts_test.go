package main

import (
	"fmt"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptPosts counts what a receiver of outbound webhooks got, and the ids under
// which that came: posts webhook zap POSTS IDS.
func scriptPosts(ts *testscript.TestScript, neg bool, args []string) {
	list, err := sandboxRecords(ts.Getenv("SANDBOX"), args[0], args[1])
	ts.Check(err)
	ids := map[string]bool{}
	for _, r := range list {
		headers, _ := r.Fields["headers"].(map[string]any)
		ids[fmt.Sprint(headers["Webhook-Id"])] = true
	}
	if got, want := fmt.Sprintf("%d %d", len(list), len(ids)), args[2]+" "+args[3]; got != want {
		ts.Fatalf("%s has posts and ids %s, want %s: %v", args[1], got, want, ids)
	}
}
