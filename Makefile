# The commands of this repository. "make" alone lists them.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help test peers fmt vet cross lint boundary race cost fuzz bench bench-relay tidy

FUZZTIME ?= 5s
BENCHTIME ?= 1s
TIMEOUT ?= 10m
STATICCHECK := go tool -modfile=$(CURDIR)/tools/go.mod staticcheck
EACH := scripts/each-module.sh

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

test: peers fmt vet lint boundary cross race cost fuzz ## everything that CI runs; installs the foreign programs on Debian as root

peers: ## install the foreign programs that the interop tests talk to
	@scripts/install-peers.sh

fmt: ## check the format of the source
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt: $$unformatted" >&2; exit 1; }

vet: ## go vet in every module
	@$(EACH) go vet ./...

cross: ## go vet of the main module for other systems: their files compile, those of the tests too
	@for os in windows darwin freebsd; do CGO_ENABLED=0 GOOS=$$os go vet ./... || { echo "cross: failed for $$os" >&2; exit 1; }; done

lint: ## staticcheck in every module
	@$(EACH) $(STATICCHECK) ./...

boundary: ## the import rules, first of all tests because they are quick
	@go test -count=1 ./internal/boundary

race: ## the tests of every module, interop included, with the race detector
	@$(EACH) go test -race -shuffle=on -timeout=$(TIMEOUT) ./...

cost: ## the tests of memory, allocations and many texts that the race detector would spoil or make slow
	@go test -count=1 -run='AreSmall$$|AllocatesNothing$$' ./msrp/...
	@go test -count=1 -run='^TestThousandTextsEachWay$$' .

fuzz: ## run every fuzz target for FUZZTIME (5s)
	@$(EACH) "$(CURDIR)/scripts/fuzz.sh" $(FUZZTIME)

bench: ## run every benchmark for BENCHTIME (1s)
	@$(EACH) go test -run='^$$' -bench=. -benchmem -benchtime=$(BENCHTIME) ./...

bench-relay: ## compare our MSRP relay with Kamailio and a plain TCP splice, and measure idle clients
	@go test -count=1 -v -run='^Test(Table|Idle)$$' -timeout=30m ./internal/interop/relaybench -duration=1s -runs=5 -pairs=100 -idle=10000

tidy: ## check that go.mod and go.sum of every module are what "go mod tidy" would write
	@scripts/each-module.sh --all go mod tidy -diff
