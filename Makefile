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

.PHONY: all build help test race check demo bench fuzz soak fidelity golden clean

all: build

build: ## build bin/crmsyncd
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/crmsyncd ./cmd/crmsyncd

help: ## show the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: ## see it work: sample calls arrive in two CRMs; Ctrl-C ends
	$(GO) run ./cmd/crmsyncd demo $(ARGS)

test: ## all tests
	$(GO) test ./...

race: ## all tests with the race detector
	CGO_ENABLED=1 $(GO) test -race ./...

check: ## formatting, vet, staticcheck, dead code, tidy modules
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "gofmt wants to change:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	@out=$$($(TOOL) deadcode -test ./...); if [ -n "$$out" ]; then echo "$$out"; exit 1; fi
	$(GO) mod tidy -diff

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

fidelity: ## the vendors' own Node.js clients against the sandbox; npm fetches them
	$(GO) test -tags fidelity -run TestTheVendorsOwnClients -count=1 -v -timeout 20m ./internal/fidelity

golden: ## write the golden files anew
	$(GO) test ./mapping ./config ./sources/telli ./cmd/crmsyncd ./docs -update

clean: ## remove what was built
	rm -rf bin dist
