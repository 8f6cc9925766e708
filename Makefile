# What is done with this repository. "make help" lists it.
.DEFAULT_GOAL := help
SHELL := /usr/bin/env bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

buf := tools/node_modules/.bin/buf
python := .cache/python/bin/python
python_ready := .cache/python/.ready
go_files = $(shell git ls-files --cached --others --exclude-standard '*.go' ':!*.pb.go')

# npm installs what a lock file says, once for each change of it.
npm_ci = (cd $* && npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.package-lock.json)

.PHONY: help
help: ## List what can be made
	@grep -hE '^[a-z][a-z0-9-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "make %-14s %s\n", $$1, $$2 }'

.PHONY: run
run: build examples/chat/public/socket.io.min.js ## Run the edge and the chat example until Ctrl-C
	@tools/run.sh

.PHONY: build
build: ## Build bin/sio-edge
	@go build -o bin/ ./cmd/sio-edge

.PHONY: test
test: test-go test-e2e test-browser test-node test-python test-conformance test-demos ## Run all tests, installing what they need

.PHONY: test-go
test-go: ## Run the Go tests with the race detector
	go vet ./...
	go test -race ./...

.PHONY: test-e2e
test-e2e: test/e2e/node_modules/.package-lock.json ## Run stock Socket.IO clients against the edge
	cd test/e2e && npm test

.PHONY: test-browser
test-browser: test/browser/node_modules/.package-lock.json examples/chat/public/socket.io.min.js ## Run the chat page in headless Chromium
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } || \
		{ echo "test-browser needs chromium on the PATH"; exit 1; }
	cd test/browser && npm test

.PHONY: test-node
test-node: clients/node/node_modules/.package-lock.json ## Run the tests of the Node SDK
	cd clients/node && npm test

.PHONY: test-python
test-python: $(python_ready) clients/python/tests/e2e/node_modules/.package-lock.json ## Run the tests of the Python SDK
	cd clients/python && PYTHONPATH=src ../../$(python) -m pytest -q

.PHONY: test-conformance
test-conformance: clients/conformance/node_modules/.package-lock.json clients/node/node_modules/.package-lock.json $(python_ready) ## Run the same cases for every SDK
	cd clients/conformance && PYTHON=$(CURDIR)/$(python) npm test

.PHONY: test-demos
test-demos: examples/demos/node_modules/.package-lock.json examples/node-hello/node_modules/.package-lock.json $(python_ready) ## Run the demos with stock clients
	cd examples/node-hello && npm test
	cd examples/demos && PYTHON=$(CURDIR)/$(python) npm test

.PHONY: generate
generate: $(buf) clients/node/node_modules/.package-lock.json clients/node/typedoc/node_modules/.package-lock.json $(python_ready) ## Generate code from the contract, and docs from the code
	$(buf) generate --path proto/sioedge
	cd clients/node && PATH="$(CURDIR)/tools/node_modules/.bin:$$PATH" npm run generate
	$(python) clients/python/tools/generate.py
	cd clients/node/typedoc && npm run --silent generate

.PHONY: checkgenerate
checkgenerate: generate ## Fail if generated code is stale
	@stale=$$(git status --porcelain -- proto clients/node/src/gen clients/node/API.md clients/python/src/sio_edge/_gen | grep -v '\.proto$$' || true); \
	if [ -n "$$stale" ]; then echo "generated code is stale:"; echo "$$stale"; exit 1; fi

.PHONY: lint
lint: $(buf) ## Check format, vet, staticcheck and the contract
	@unformatted=$$(gofmt -l $(go_files)); \
	if [ -n "$$unformatted" ]; then echo "run gofmt on:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
	$(buf) lint

.PHONY: check
check: lint checkgenerate ## Everything but the tests: lint, generated code, modules, vulnerabilities, licences, two equal builds
	go mod verify
	go mod tidy -diff
	@tools/vuln.sh
	@go run ./tools/licenses ./cmd/sio-edge
	@tools/reproducible.sh

.PHONY: release
release: ## Make archives, bills of materials and checksums in dist/, signed with SIGN_KEY if it is set
	@tools/release.sh

.PHONY: fuzz
fuzz: ## Fuzz each parser of bytes from outside for FUZZTIME (10s)
	@for package in $$(git grep -lE '^func Fuzz' -- '*_test.go' | xargs -n 1 dirname | sort -u); do \
		for target in $$(grep -ohE '^func Fuzz[A-Za-z0-9]+' $$package/*_test.go | cut -c6-); do \
			echo "$$package $$target"; \
			go test ./$$package -run '^$$' -fuzz "^$$target\$$" -fuzztime "$${FUZZTIME:-10s}" -fuzzminimizetime 1s; \
		done; \
	done

.PHONY: torture
torture: ## Cut the power, fail the disk, kill and damage the store, at length
	SIOEDGE_TORTURE=1 go test -count=1 -timeout 60m -v ./internal/edge/store | grep --line-buffered -v '^=== '

.PHONY: hostile
hostile: ## Cut upgrades, stop reading, dribble, flood and vanish, at length
	SIOEDGE_TORTURE=1 go test -count=1 -timeout 30m -v -run '^Test(P2|P3|P4|P13|P14|P20|P22)_' ./internal/edge/engineio ./cmd/sio-edge | grep --line-buffered -v '^=== '
	SIOEDGE_TORTURE=1 go test -count=1 -timeout 30m -v ./test/hostile | grep --line-buffered -vE '^(=== | +--- PASS)'

.PHONY: storm
storm: ## Let 8,000 clients come back at once, five times as many as can be served, and weigh refusals
	SIOEDGE_TORTURE=1 go test -count=1 -timeout 30m -v -run '^TestP15_' ./cmd/sio-edge | grep --line-buffered -v '^=== '

.PHONY: decoders
decoders: test/e2e/node_modules/.package-lock.json ## Compare the decoders with the reference's on INPUTS (200000) made-up inputs
	cd test/e2e && INPUTS="$${INPUTS:-200000}" node --test --test-reporter=spec decoders.test.mjs

.PHONY: bench
bench: ## Compare the edge with its peers on this machine (BENCH=--short for a quick look)
	go run ./bench $(BENCH)

.PHONY: bench-check
bench-check: ## Fail if a step of the path has become slower (BENCH=--update keeps new figures)
	go run ./bench/check $(BENCH)

%/node_modules/.package-lock.json: %/package-lock.json
	$(npm_ci)

$(buf): tools/node_modules/.package-lock.json

examples/chat/public/socket.io.min.js: examples/chat/package-lock.json
	examples/chat/setup.sh
	@touch $@

$(python_ready): clients/python/requirements.txt clients/python/requirements-dev.txt
	python3 -m venv .cache/python
	.cache/python/bin/pip install --quiet --disable-pip-version-check -r clients/python/requirements-dev.txt
	@touch $@

.PHONY: chaos
chaos: ## Kill the edge under load and check that nothing is lost (CHAOS=flags)
	go run ./test/chaos $(CHAOS)

.PHONY: rolling
rolling: ## Restart the edge 50 times with SIGTERM under 2,000 clients (CHAOS=flags)
	go run ./test/chaos rolling $(CHAOS)

.PHONY: chaos-bugs
chaos-bugs: ## Break each promise in a copy and demand that a check notices
	go run ./test/chaos bugs
