# make help shows the targets.
SHELL := /bin/bash
GO ?= go
VERSION ?= devel
# otel: the binary can send traces (docs/operations.md); 3.5 MB larger.
TAGS ?=
LDFLAGS := -s -w -X main.version=$(VERSION)
export CGO_ENABLED ?= 0
# Tools have a module of their own, so that go.mod lists only what ships.
TOOL := $(GO) tool -modfile=internal/tools/go.mod
# Tries of each fuzz target. A length of time works too, but now and then go
# takes its end for a failure ("context deadline exceeded").
FUZZTIME ?= 200000x
BENCHTIME ?= 3s
# Events in the ledgers of make bench: into which webhooks come, and that wait
# at a start. The largest needs 10 GB of disk, and ten minutes.
SIZES ?= 0 1000000 5000000
EVENTS ?= 1000000
SOAK ?= 60s
NETNS ?= 60s
DAY ?= 10000
MONTH ?= 5000
COMPARED ?= 10000
# Kills of make soak, crash and powercut; each has a number of its own.
ROUNDS ?=
# Architectures of the packages, as Go names them: make package ARCHS='amd64 arm64'
ARCHS ?= $(shell $(GO) env GOARCH)
HOST := $(shell $(GO) env GOHOSTARCH)

.PHONY: all build help test race check demo bench fuzz soak month day alerts crash faults powercut netfaults netns edge-test page-test trace-test acme-test security sbom fidelity golden package container package-test systemd-test clean

all: build

build: ## build bin/crmsyncd
	$(GO) build -trimpath -tags '$(TAGS)' -ldflags '$(LDFLAGS)' -o bin/crmsyncd ./cmd/crmsyncd

help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: ## see it work: sample calls arrive in two CRMs; Ctrl-C ends
	$(GO) run ./cmd/crmsyncd demo $(ARGS)

test: ## all tests
	$(GO) test -timeout 30m ./...

race: ## all tests with the race detector
	CGO_ENABLED=1 $(GO) test -race -timeout 40m ./...

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
	SIZES='$(SIZES)' EVENTS=$(EVENTS) $(GO) test -run '^$$' -bench . -benchtime 1x -timeout 60m ./internal/app ./cmd/crmsyncd

# go runs one at a time.
fuzz: ## every fuzz target, FUZZTIME (200000x) tries each
	@set -e; for pkg in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x -parallel 2 $$pkg; \
		done; \
	done

soak: ## kill and disturb it for SOAK (60s), or kill it ROUNDS times: no event lost, doubled or out of order
	$(if $(ROUNDS),KILLS=$(ROUNDS),SOAK=$(SOAK)) $(GO) test -run TestSoak -count=1 -v -timeout 60m ./cmd/crmsyncd

month: ## a month of lost webhooks, people at work and outages, for MONTH (5000) contacts: every CRM says what the vendor says; and the requests that COMPARED (10000) contacts take
	MONTH=$(MONTH) $(GO) test -run 'TestAMonth$$' -count=1 -v -timeout 60m ./internal/app
	COMPARED=$(COMPARED) $(GO) test -run 'TestTenThousandCompared$$' -count=1 -v -timeout 60m ./internal/app

page-test: ## the dashboard in a real browser, with scripts and without: what is dead is tried again, until it is delivered; chromium and chromium-driver
	PAGES=1 $(GO) test -run 'TestPagesInABrowser$$' -count=1 -v -timeout 15m ./cmd/crmsyncd

alerts: ## the alert rules and the dashboard against the metrics of a real daemon; promtool (Debian's prometheus) reads the queries
	command -v promtool
	$(GO) test -run 'TestMetrics$$' -count=1 -timeout 15m ./cmd/crmsyncd

day: build ## a day's DAY (10000) events as fast as it goes, a reload in each hour: memory, open files and goroutines do not grow
	DAY=$(DAY) BIN=$(CURDIR)/bin/crmsyncd $(GO) test -run TestADayWithoutGrowth -count=1 -v -timeout 30m ./cmd/crmsyncd

crash: ## kill it at every named point, and ROUNDS (200) times between a write and its answer, in every CRM: one record each
	CRASHPOINTS=all $(GO) test -run TestCrashPoints -count=1 -v -parallel 6 -timeout 30m ./cmd/crmsyncd
	CRASH=$(or $(ROUNDS),200) $(GO) test -run 'TestCrash$$' -count=1 -v -parallel 8 -timeout 30m ./cmd/crmsyncd

faults: ## break its disk in every way (full, failing, hanging, read-only, damaged), its memory, clocks and names: nothing lost; root, strace and mount for most
	ulimit -v 16000000; FAULTS=1 $(GO) test -run 'TestDamage|TestReadLater' -count=1 -v -timeout 10m ./store/bolt
	FAULTS=1 $(GO) test -run TestReserve -count=1 -v -timeout 5m ./internal/app
	FAULTS=1 $(GO) test -run 'TestFaultyDisk|TestFaultyMachine|TestNames|TestDamagedLedger' -count=1 -v -timeout 15m ./cmd/crmsyncd

powercut: ## take the power from its disk ROUNDS (25) times: nothing lost, and a daemon without fsync found out; as root
	POWERCUT=$(or $(ROUNDS),25) $(GO) test -run TestPowerCut -count=1 -v -timeout 30m ./cmd/crmsyncd

netfaults: ## every way in which a CRM or the network goes wrong, and a day of each kind of outage, for every CRM
	NETFAULTS=1 $(GO) test -run 'TestFaults|TestADayOfOutage' -count=1 -v -parallel 8 -timeout 20m ./internal/app

netns: ## a daemon, its CRMs and its senders in network namespaces, between them cables that lose, delay and swallow packets, for NETNS (60s); as root
	NETNS=$(NETNS) $(GO) test -run 'TestNetworks$$' -count=1 -v -timeout 20m ./cmd/crmsyncd

edge-test: ## nginx, Caddy and Traefik with the settings of examples/edge before a daemon; skipped where one is not installed
	EDGE=1 $(GO) test -run TestProxies -count=1 -v -timeout 15m ./cmd/crmsyncd

trace-test: ## the binary with OpenTelemetry against a collector: spans, redaction, a collector that is dead
	$(GO) vet -tags otel ./internal/trace/... ./internal/app ./cmd/crmsyncd
	$(GO) test -tags otel -count=1 -timeout 15m ./internal/trace
	$(GO) test -tags otel -run 'TestSpans|TestADeadCollector|TestTrac' -count=1 -timeout 15m ./cmd/crmsyncd

acme-test: ## certificates from Let's Encrypt's own test server, pebble
	$(GO) build -modfile=internal/tools/pebble.mod -o bin/pebble github.com/letsencrypt/pebble/v2/cmd/pebble
	PEBBLE='$(CURDIR)/bin/pebble' $(GO) test -run TestACME -count=1 -v -timeout 15m ./cmd/crmsyncd

fidelity: ## the vendors' own Node.js clients against the sandbox, the editors' language server against the schemas; npm fetches them
	$(GO) test -tags fidelity -run TestTheVendorsOwnClients -count=1 -v -timeout 20m ./internal/fidelity
	$(GO) test -tags fidelity -run TestEditors -count=1 -v -timeout 10m ./cmd/crmsyncd

security: build ## attack it in every way of docs/security.md, and print the table; a minute or two
	SECURITY=1 CRMSYNCD=$(CURDIR)/bin/crmsyncd $(GO) test -run 'TestSecurity' -count=1 -v -timeout 15m ./cmd/crmsyncd

sbom: build ## what bin/crmsyncd is made of, with licences, as CycloneDX in bin/; fails on a licence that may not ship
	$(GO) run ./internal/sbom bin/crmsyncd '$(VERSION)' > bin/crmsyncd.cdx.json

golden: ## write the golden files anew
	$(GO) test ./mapping ./config ./sources/telli ./internal/cases ./examples ./cmd/crmsyncd ./docs -update

package: ## .deb and .rpm of VERSION into dist/, for ARCHS (this machine's)
	systemd/package.sh dist '$(VERSION)' $(ARCHS)

container: ## fill dist/container, and build the image of VERSION where there is podman, buildah or docker
	systemd/container.sh dist/container '$(VERSION)'

package-test: ## the same tree gives the same packages, to the byte
	rm -rf dist/test && mkdir -p dist/test
	systemd/package.sh dist/test/once 0.1.0 $(HOST)
	umask 077 && TZ=Asia/Tokyo HOSTNAME=other TMPDIR=$(CURDIR)/dist/test systemd/package.sh dist/test/again 0.1.0 $(HOST)
	cd dist/test && for f in once/*; do cmp $$f again/$${f#once/} || exit 1; done

systemd-test: ## the packages' life under a real systemd: install, start, kill, back up, upgrade under load, roll back, remove
	rm -rf dist/test && mkdir -p dist/test
	systemd/package.sh dist/test 0.1.0 $(HOST)
	systemd/package.sh dist/test 0.2.0 $(HOST)
	$(GO) build -o dist/test/hammer ./systemd/test/hammer
	systemd/test/run.sh dist/test

clean: ## remove what was built
	rm -rf bin dist
