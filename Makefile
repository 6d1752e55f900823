# On a fresh machine: `make demo` to see it work, `make test` to check it. Both set up what they need.

SHELL := /bin/bash
.PHONY: help demo test slow campaign format lock messages fuzz bench crash faults workers

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile | expand -t 16

demo: ## the whole road of four letters on this machine; ONCE=1 ends by itself
	@scripts/environment demo
	@.venv/bin/mailer demo $(if $(filter 1,$(ONCE)),--once)

test: ## format, lint, types and the fast tests, some 3 minutes; as root on Debian installs Dovecot, PostgreSQL and docker-compose for them
	@scripts/environment dev
	@scripts/services
	@echo "Checking format and lint (ruff)"
	@.venv/bin/ruff format --quiet --check . || { echo "Not formatted; make format mends it:"; .venv/bin/ruff format --check .; }
	@.venv/bin/ruff check --quiet .
	@echo "Checking types (mypy)"
	@.venv/bin/mypy
	@echo "Running the tests (pytest)"
	@# Three: each process reads all tests and has its own PostgreSQL; a third keeps two cores busy while others wait for theirs.
	@# Each would also compile all tests anew where PYTHONDONTWRITEBYTECODE is set.
	@PYTHONDONTWRITEBYTECODE= .venv/bin/pytest -m "not slow" --numprocesses=3 --dist=loadfile

slow: ## the tests that `make test` leaves out: the whole service and demo, processes that die, hang and wait; SHORT=1 without the longest of their cases
	@scripts/environment dev
	@scripts/services
	@scripts/debian-install libreoffice-calc-nogui || true
	@PYTHONDONTWRITEBYTECODE= .venv/bin/pytest -m "slow$(if $(filter 1,$(SHORT)), and not long)" --numprocesses=4 --dist=load --maxschedchunk=1

campaign: ## much more than usual: 100,000 waiting letters, letters of 25 MB, a flood; some ten minutes
	@scripts/environment dev
	@scripts/services
	@.venv/bin/python -m tests.load.campaign

format: ## put the source into its one form
	@scripts/environment dev
	@.venv/bin/ruff check --quiet --fix .
	@.venv/bin/ruff format .

lock: ## refresh the lock files from pyproject.toml
	@scripts/environment dev
	@scripts/lock

messages: ## carry new texts into the Russian catalogue and compile it
	@scripts/environment dev
	@scripts/messages

fuzz: ## search SECONDS=60 for letters that break a promise of reading
	@scripts/environment dev
	@scripts/fuzz $(or $(SECONDS),60)

bench: ## is it as fast as promised? GROUP=reading asks one part
	@scripts/environment dev
	@.venv/bin/python -m tests.bench $(GROUP)

crash: ## kill the service KILLS=30 times on each database, at random and at every named step, then count; SEED=1, DATABASE=sqlite
	@scripts/environment dev
	@scripts/services
	@.venv/bin/python -m tests.crash.campaign --kills $(or $(KILLS),30) --seed $(or $(SEED),1) $(addprefix --database ,$(DATABASE))

faults: ## 100,000 letters in the folder, 500 migrated ones: what they cost and whether the limits hold (minutes)
	@scripts/environment dev
	@scripts/services
	@.venv/bin/python -m tests.faults.measure

workers: ## several services on one PostgreSQL: LETTERS=2000 shared by WORKERS=4, some killed, some stopped (minutes)
	@scripts/environment dev
	@scripts/services
	@.venv/bin/python -m tests.load.workers --letters $(or $(LETTERS),2000) --workers $(or $(WORKERS),4)
