// Command sbom writes what a built crmsyncd is made of: a bill of materials in
// CycloneDX's JSON, by which scanners find known weaknesses and lawyers
// licences. It reads the binary itself, and the licences in Go's module cache,
// so it tells what ships and nothing of tests and tools. A module whose licence
// is not known here is an error. It looks up no weaknesses.
//
//	sbom BINARY VERSION
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sbom BINARY VERSION > crmsyncd.cdx.json")
		os.Exit(2)
	}
	if err := write(os.Stdout, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func write(w io.Writer, binary, version string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	info.Main.Version = version // Go knows only that of a tag
	b, err := bill(info, cached)
	if err != nil {
		return err
	}
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(b)
}

// bom is a document of CycloneDX 1.6 (cyclonedx.org/docs/1.6/json, read 2026-11).
type bom struct {
	Schema     string      `json:"$schema"`
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Serial     string      `json:"serialNumber"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
	Depends    []depends   `json:"dependencies"`
}

type metadata struct {
	Time      string    `json:"timestamp,omitempty"`
	Component component `json:"component"`
}

type component struct {
	Ref      string    `json:"bom-ref"`
	Type     string    `json:"type"`
	Name     string    `json:"name"`
	Version  string    `json:"version,omitempty"`
	Scope    string    `json:"scope,omitempty"`
	Hashes   []hash    `json:"hashes,omitempty"`
	Licenses []license `json:"licenses,omitempty"`
	PURL     string    `json:"purl"`
}

type hash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

type license struct {
	License struct {
		ID string `json:"id"`
	} `json:"license"`
}

type depends struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn,omitempty"`
}

// bill lists what the binary holds; text gives a module's licence files. The
// same binary gives the same bill.
func bill(info *debug.BuildInfo, text func(path, version string) (string, error)) (bom, error) {
	main := part("application", info.Main.Path, info.Main.Version)
	var err error
	main.Licenses = licensed("Apache-2.0")
	out := bom{Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", Spec: "1.6", Version: 1, Metadata: metadata{Component: main}}
	if s, bad := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); bad == nil {
		out.Metadata.Time = time.Unix(s, 0).UTC().Format(time.RFC3339)
	}
	std := part("library", "stdlib", strings.TrimPrefix(info.GoVersion, "go"))
	std.PURL, std.Licenses = "pkg:golang/std@"+std.Version, licensed("BSD-3-Clause")
	out.Components = append(out.Components, std)
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := part("library", m.Path, m.Version)
		// Go's sum is a hash over the hashes of all files of the module.
		if sum, bad := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:")); bad == nil && len(sum) > 0 {
			c.Hashes = []hash{{"SHA-256", hex.EncodeToString(sum)}}
		}
		files, e := text(m.Path, m.Version)
		ids := licences(files)
		if e == nil && len(ids) == 0 {
			e = errors.New("no licence that is known here; read it, and add it to the list if it suits")
		}
		if e != nil {
			err = errors.Join(err, fmt.Errorf("%s %s: %w", m.Path, m.Version, e))
		}
		c.Licenses = licensed(ids...)
		out.Components = append(out.Components, c)
	}
	on := depends{Ref: main.Ref}
	for _, c := range out.Components {
		on.On = append(on.On, c.Ref)
	}
	out.Depends = []depends{on}
	sum := sha256.Sum256([]byte(strings.Join(on.On, "\n") + main.Ref))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // a UUID of version 8, made of a hash
	out.Serial = fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
	return out, err
}

func part(kind, path, version string) component {
	purl := "pkg:golang/" + strings.ReplaceAll(url.PathEscape(path), "%2F", "/") + "@" + version
	return component{Ref: purl, Type: kind, Name: path, Version: version, PURL: purl}
}

func licensed(ids ...string) (out []license) {
	for _, id := range ids {
		var l license
		l.License.ID = id
		out = append(out, l)
	}
	return out
}

// allowed are the licences that may ship in a program under Apache-2.0, each
// with words that no other of them has. MPL-2.0 asks only that changes to its
// own files be published, and there are none.
var allowed = []struct{ id, words string }{
	{"Apache-2.0", "apache license version 2.0"},
	{"BSD-2-Clause", "redistributions in binary form must reproduce"},
	{"BSD-3-Clause", "endorse or promote products derived from this software"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose"},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"MPL-2.0", "mozilla public license, version 2.0"},
}

// licences are those that a text holds.
func licences(text string) (ids []string) {
	plain := strings.ToLower(strings.Join(strings.Fields(text), " "))
	plain = strings.ReplaceAll(strings.ReplaceAll(plain, "version 2.0,", "version 2.0"), "apache license, version", "apache license version")
	three := strings.Contains(plain, allowed[2].words)
	for _, l := range allowed {
		if strings.Contains(plain, l.words) && !(l.id == "BSD-2-Clause" && three) {
			ids = append(ids, l.id)
		}
	}
	return ids
}

// cached reads a module's licence files in the module cache.
func cached(path, version string) (text string, err error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", path+"@"+version).Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		return "", errors.New("not in Go's module cache; run go mod download")
	}
	for _, name := range []string{"LICEN[SC]E*", "COPYING*"} {
		files, err := filepath.Glob(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		for _, f := range files {
			more, err := os.ReadFile(f)
			if err != nil {
				return "", err
			}
			text += string(more) + "\n"
		}
	}
	return text, nil
}
