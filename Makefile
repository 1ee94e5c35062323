# SPDX-License-Identifier: Apache-2.0
# Thin names for the scripts. `make up` and `make test` are all that a newcomer needs.
.PHONY: up down purge status build test unit conformance bench packages format help

# OpenStack's object storage client is called swift, too: the toolchain is the one that says so.
SWIFT := $(shell scripts/find-swift)
BUILD := .build/release
HANEUL := $(BUILD)/haneul
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

help:
	@echo "make up      a cloud on this machine      make test    all tests"
	@echo "make down    stop it, keep everything     make purge   remove every trace of it"
	@echo "make status  its parts and their health   make bench   figures"

packages:
	@$(SUDO) scripts/install-packages

build: packages
	@[ -n "$(SWIFT)" ] || { echo "No Swift 6.2 or newer in PATH or /opt/swift/usr/bin: see https://www.swift.org/install/linux/"; exit 1; }
	$(SWIFT) build -c release --product haneul --static-swift-stdlib

up: build
	@scripts/guest-image .build/guest.qcow2
	@$(SUDO) $(HANEUL) up --guest-image .build/guest.qcow2 $(ARGS)

down status:
	@$(SUDO) $(HANEUL) $@ $(ARGS)

purge:
	@$(SUDO) $(HANEUL) purge $(ARGS)

unit: packages
	$(SWIFT) test

test: packages
	@$(SUDO) env SWIFT=$(SWIFT) scripts/test

conformance: build
	@scripts/guest-image .build/guest.qcow2
	@$(SUDO) Tests/Conformance/run
	@$(SUDO) Tests/Conformance/suites

bench: build
	@$(SUDO) Benchmarks/run

format:
	$(SWIFT) format --in-place --recursive Sources Tests Package.swift
