# make help shows the targets.
SHELL := /bin/bash
GO ?= go
VERSION ?= devel
LDFLAGS := -s -w -X main.version=$(VERSION)
export CGO_ENABLED ?= 0
# Tools have a module of their own, so that go.mod lists only what ships.
TOOL := $(GO) tool -modfile=internal/tools/go.mod
# Tries of each fuzz target. A length of time works too, but now and then go
# takes its end for a failure ("context deadline exceeded").
FUZZTIME ?= 200000x
BENCHTIME ?= 3s
SOAK ?= 60s
ROUNDS ?= 200
# Architectures of the packages, as Go names them: make package ARCHS='amd64 arm64'
ARCHS ?= $(shell $(GO) env GOARCH)
HOST := $(shell $(GO) env GOHOSTARCH)

.PHONY: all build help test race check demo bench fuzz soak crash fidelity golden package package-test systemd-test clean

all: build

build: ## build bin/crmsyncd
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/crmsyncd ./cmd/crmsyncd

help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: ## see it work: sample calls arrive in two CRMs; Ctrl-C ends
	$(GO) run ./cmd/crmsyncd demo $(ARGS)

test: ## all tests
	$(GO) test ./...

race: ## all tests with the race detector
	CGO_ENABLED=1 $(GO) test -race ./...

check: build ## formatting, vet, staticcheck, dead code, tidy modules, systemd units
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "gofmt wants to change:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	@out=$$($(TOOL) deadcode -test ./...); if [ -n "$$out" ]; then echo "$$out"; exit 1; fi
	$(GO) mod tidy -diff
	systemd/check.sh bin/crmsyncd

bench: ## ingest beside a bare handler, mapping, CRM requests; all in one run
	$(GO) test -run '^$$' -bench 'BenchmarkPlan|BenchmarkNoMatch' -benchmem ./mapping
	$(GO) test -run '^$$' -bench . -benchtime $(BENCHTIME) ./store/bolt
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 20m ./internal/app ./cmd/crmsyncd

# go runs one at a time.
fuzz: ## every fuzz target, FUZZTIME (200000x) tries each
	@set -e; for pkg in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x -parallel 2 $$pkg; \
		done; \
	done

soak: ## kill and disturb it for SOAK (60s): no event lost, doubled or out of order
	SOAK=$(SOAK) $(GO) test -run TestSoak -count=1 -v -timeout 30m ./cmd/crmsyncd

crash: ## kill it ROUNDS (200) times between a write and its answer, in every CRM: one record each
	CRASH=$(ROUNDS) $(GO) test -run TestCrash -count=1 -v -parallel 8 -timeout 30m ./cmd/crmsyncd

fidelity: ## the vendors' own Node.js clients against the sandbox, the editors' language server against the schemas; npm fetches them
	$(GO) test -tags fidelity -run TestTheVendorsOwnClients -count=1 -v -timeout 20m ./internal/fidelity
	$(GO) test -tags fidelity -run TestEditors -count=1 -v -timeout 10m ./cmd/crmsyncd

golden: ## write the golden files anew
	$(GO) test ./mapping ./config ./sources/telli ./internal/cases ./examples ./cmd/crmsyncd ./docs -update

package: ## .deb and .rpm of VERSION into dist/, for ARCHS (this machine's)
	systemd/package.sh dist '$(VERSION)' $(ARCHS)

package-test: ## the same tree gives the same packages, to the byte
	rm -rf dist/test && mkdir -p dist/test
	systemd/package.sh dist/test/once 0.1.0 $(HOST)
	umask 077 && TZ=Asia/Tokyo HOSTNAME=other TMPDIR=$(CURDIR)/dist/test systemd/package.sh dist/test/again 0.1.0 $(HOST)
	cd dist/test && for f in once/*; do cmp $$f again/$${f#once/} || exit 1; done

systemd-test: ## a package's life under a real systemd: install, start, kill, upgrade under load, remove
	rm -rf dist/test && mkdir -p dist/test
	systemd/package.sh dist/test 0.1.0 $(HOST)
	systemd/package.sh dist/test 0.2.0 $(HOST)
	$(GO) build -o dist/test/hammer ./systemd/test/hammer
	systemd/test/run.sh dist/test/crmsyncd_0.1.0-1_$(HOST).deb dist/test/crmsyncd_0.2.0-1_$(HOST).deb dist/test/hammer

clean: ## remove what was built
	rm -rf bin dist
