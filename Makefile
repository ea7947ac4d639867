# SPDX-License-Identifier: MIT
# The front door: each target is one of scripts/, which do the work and keep what they made in
# $XDG_CACHE_HOME/virtio-gpu-venus. Nothing is built by make itself, so -j has nothing to do here.

SHELL := /bin/bash
cache := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/virtio-gpu-venus
suites := strict scripts unit renderer samples qtest guest present module gpu packages asan tsan fuzz \
          guest-aarch64 guest-16k guest-backports guest-forky guest-module guest-asan host-16k libvirt polled darwin \
          darwin-ways legacy

.NOTPARALLEL:
.PHONY: help demo demo-micro check fuzz soak examples figures bench $(suites:%=check-%) lib qemu module image gpu deb dist clean \
        cache-clean

help:            ## this list
	@sed -n 's/^\([a-z][a-z0-9-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 23

demo:            ## set up, boot a guest with no window, run vkcube through the device, show what happened
	@scripts/host-tools.sh python3
	@scripts/demo.py

demo-micro:      ## the same in a guest of 19 MB, made in seconds, where our own cube turns on the bare display
	@scripts/host-tools.sh python3
	@scripts/demo.py --micro

check:           ## every test
	@scripts/host-tools.sh python3
	@python3 scripts/check.py

check-strict:    ## gcc, its analyzer, clang and clang-tidy find nothing; floors, and the page of environment variables
check-scripts:   ## what is written in Python: launchers by their dry run, the pages of the benchmark and the examples
check-unit:      ## the library against a fake renderer
check-renderer:  ## the library against the real virglrenderer, Debian 13's and the next, on lavapipe, no VM
check-samples:   ## the samples, with the library installed: built, run, and their picture compared
check-qtest:     ## the QEMU device, driven over its queues
check-guest:     ## a Linux guest: our programs, vulkaninfo, vkcube, vkmark
check-present:   ## frames on the host's screen by its Vulkan: pictures, faults, X11, Wayland
check-module:    ## Debian's own QEMU with the device as a module, and a guest in it
check-gpu:       ## the payload of make gpu, unpacked in an empty folder, on lavapipe
check-packages:  ## Debian's packages, in a fresh Debian 13 with a guest; the tarball of a release, built offline
check-asan:      ## unit, renderer and presenting tests under AddressSanitizer and UndefinedBehaviorSanitizer
check-tsan:      ## unit, renderer and presenting tests under ThreadSanitizer
check-fuzz:      ## the targets of fuzz/: all seeds, and what a minute makes of them
check-guest-aarch64: ## an emulated aarch64 guest, in a second QEMU; not part of check
check-guest-16k: ## the same with a kernel whose pages are of 16 KiB; not part of check
check-guest-backports: ## a guest with the kernel of Debian's backports; not part of check
check-guest-forky: ## a guest of the next Debian, as it is today; not part of check
check-guest-module: ## all guest tests in Debian's own QEMU with the module; not part of check
check-guest-asan: ## guest tests, the device under AddressSanitizer and UndefinedBehaviorSanitizer; not part of check
check-polled:    ## unit, renderer and guest tests with fences that are polled, as on macOS; not part of check
check-darwin:    ## library and device compile for macOS, and the Objective-C runs in GNUstep; not part of check
check-host-16k:  ## unit and renderer tests on an emulated aarch64 host with pages of 16 KiB; not part of check
check-darwin-ways: ## unit, renderer and guest tests with all that macOS forces upon us; not part of check
check-libvirt:   ## domains of Debian's libvirt, by both ways to the device; not part of check
check-legacy:    ## the archived OpenGL device, in another QEMU (6 minutes to build); not part of check
$(suites:%=check-%): check-%:
	@scripts/host-tools.sh python3
	@python3 scripts/check.py $*

FUZZ_SECONDS ?= 60
fuzz:            ## run each target of fuzz/ for FUZZ_SECONDS (60), and say what was reached (docs/fuzzing.md)
	@scripts/host-tools.sh python3
	@scripts/fuzz.py --seconds "$(FUZZ_SECONDS)"

MINUTES ?= 30
soak:            ## a guest that works for MINUTES (30) while the host fails it: out/soak.svg
	@scripts/host-tools.sh python3
	@scripts/soak.py --minutes "$(MINUTES)"

examples:        ## every example in a guest, beside the host: docs/examples.md (a quarter of an hour)
	@scripts/setup.sh --built >/dev/null
	@examples/examples.py

figures:         ## measure blobs, fences, contexts, queues and presenting in a guest; best with nothing else running
	@scripts/setup.sh --built >/dev/null
	@scripts/figures.py
	@scripts/figures_present.py

bench:           ## compare with QEMU's OpenGL device, side by side: half an hour in which nothing else should run
	@scripts/host-tools.sh python3
	@bench/bench.py

lib:             ## build libvenusgpu; prints where it is installed
	@scripts/build-lib.sh

qemu:            ## build QEMU with the device; prints the program's path
	@scripts/build-qemu.sh

module:          ## build the device as a module for Debian's own QEMU; prints the path of what runs that with it
	@scripts/build-module.sh

image:           ## make the guest image; prints its directory
	@scripts/guest-image.sh

gpu:             ## make the payload for a machine with a GPU: tests, figures and a guest; prints its path (docs/gpus.md)
	@scripts/gpu-payload.sh

deb:             ## build Debian's packages; prints the directory that they are in
	@scripts/build-packages.sh

dist:            ## make the tarball of a release of what is committed; prints its path
	@scripts/dist.sh

clean:           ## remove what the demo and the tests wrote in the checkout (out/)
	rm -rf out

cache-clean:     ## remove everything that was built, for all checkouts
	@scripts/cache-clean.sh
