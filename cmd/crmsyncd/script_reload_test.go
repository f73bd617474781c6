package main

import (
	"context"
	"errors"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/crmsyncd/crmsyncd/internal/admin"
)

// scriptReload has the script's background command read its settings again,
// and waits until they are in force.
func scriptReload(ts *testscript.TestScript, _ bool, _ []string) {
	client := admin.NewClient(ts.Getenv("ADMIN"))
	before, err := client.Status(context.Background())
	ts.Check(err)
	ts.Check(ts.BackgroundCmds()[0].Process.Signal(syscall.SIGHUP))
	ts.Check(poll(func() error {
		now, err := client.Status(context.Background())
		if err == nil && now.Settings.LoadedAt.Equal(before.Settings.LoadedAt) {
			err = errors.New("the settings were not read again")
		}
		return err
	}))
}
