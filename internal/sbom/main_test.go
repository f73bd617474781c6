package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

func TestEveryModuleThatShipsHasALicenceThatMay(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"go.mod", "go.sum"} { // so that the test runs again when they change
		if _, err := os.ReadFile("../../" + name); err != nil {
			t.Fatal(err)
		}
	}
	list := exec.Command("go", "list", "-deps", "-tags", "otel", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", "./cmd/crmsyncd")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		path, version, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || seen[path] {
			continue
		}
		seen[path] = true
		text, err := cached(path, version)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if ids := licences(text); len(ids) == 0 {
			t.Errorf("%s %s has no licence of the list", path, version)
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %v were found", seen)
	}
}

func TestLicences(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"Apache License\n    Version 2.0, January 2004":                                                           {"Apache-2.0"},
		"Licensed under the Apache License, Version 2.0 (the":                                                     {"Apache-2.0"},
		"Permission is hereby granted, free of\ncharge, to any person obtaining a copy of this software":          {"MIT"},
		"Redistributions in binary form must reproduce":                                                           {"BSD-2-Clause"},
		"Redistributions in binary form must reproduce … endorse or promote products derived from this\nsoftware": {"BSD-3-Clause"},
		"GNU GENERAL PUBLIC LICENSE Version 3":                                                                    nil,
		"":                                                                                                        nil,
	} {
		if got := licences(text); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestBill(t *testing.T) {
	t.Parallel()
	info := &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Path: "example.com/x", Version: "v1.2.3"}, Deps: []*debug.Module{
		{Path: "example.com/a", Version: "v1.0.0", Sum: "h1:VlbKKnNfV8bJzeqoa4cOKqO6bYr3WgKZxO8Z16+hsOM="},
		{Path: "example.com/gone", Replace: &debug.Module{Path: "example.com/b", Version: "v2.0.0"}},
	}}
	mit := func(string, string) (string, error) {
		return "Permission is hereby granted, free of charge, to any person obtaining a copy", nil
	}
	texts := [2][]byte{}
	for i := range texts {
		b, err := bill(info, mit)
		if err != nil {
			t.Fatal(err)
		}
		if texts[i], err = json.Marshal(b); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(texts[0], texts[1]) {
		t.Error("the same binary gives two bills")
	}
	for _, want := range []string{`"purl":"pkg:golang/example.com/a@v1.0.0"`, `"purl":"pkg:golang/example.com/b@v2.0.0"`, `"purl":"pkg:golang/std@1.26.8"`, `"id":"MIT"`, `"bomFormat":"CycloneDX"`, `"content":"5656ca2a735f57c6c9cdeaa86b870e2aa3ba6d8af75a0299c4ef19d7afa1b0e3"`} {
		if !bytes.Contains(texts[0], []byte(want)) {
			t.Errorf("the bill has no %s:\n%s", want, texts[0])
		}
	}
	if _, err := bill(info, func(string, string) (string, error) { return "All rights reserved.", nil }); err == nil || !strings.Contains(err.Error(), "example.com/a v1.0.0") {
		t.Errorf("an unknown licence gives %v", err)
	}
}
