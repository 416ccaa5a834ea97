"""Which tests a run takes, and what it says about those it leaves out."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest

from . import chromium

STORM = 5000  # Journeys of `--storm`, beside those that every run makes.
CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("creatio-sync")
    group.addoption("--rule", action="append", default=[], metavar="R7", help="only tests about this rule; repeatable")
    group.addoption("--embedded", action="store_true", help="only tests marked embedded")
    group.addoption("--storm", action="store_true", help="only random journeys, 5,000 of them")
    group.addoption("--storm-journeys", type=int, default=STORM, metavar="5000", help="so many instead")
    group.addoption("--storm-seed", type=int, action="append", default=[], metavar="17", help="only those of a seed")
    group.addoption("--storm-part", default="1/1", metavar="1/2", help="which part of them this process takes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    rules = {rule.upper() for rule in config.getoption("rule")}
    if rules:
        _keep(config, items, [item for item in items if rules & _rules_of(item)])
    if config.getoption("embedded"):
        _keep(config, items, [item for item in items if item.get_closest_marker("embedded")])
    if config.getoption("storm") or config.getoption("storm_seed"):
        _keep(config, items, [item for item in items if "storm_seed" in getattr(item, "fixturenames", ())])

    from django.db import connection

    for item in items:
        if item.get_closest_marker("postgres") and connection.vendor != "postgresql":
            item.add_marker(pytest.mark.skip(reason="needs PostgreSQL: run without TEST_SERVICES=none"))
        if item.get_closest_marker("browser") and (reason := chromium.why_not()):
            item.add_marker(pytest.mark.skip(reason=reason))


def _rules_of(item: pytest.Item) -> set[str]:
    return {str(rule).upper() for marker in item.iter_markers("rule") for rule in marker.args}


def _keep(config: pytest.Config, items: list[pytest.Item], kept: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    outcome = yield
    _fail_if_skipped_in_ci(outcome.get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Any:
    outcome = yield
    _fail_if_skipped_in_ci(outcome.get_result())


def _fail_if_skipped_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    if CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"Skipped, which CI does not accept: {_reason(report)}"


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = Counter(_reason(report) for report in terminalreporter.getreports("skipped"))
    if not skipped:
        return
    terminalreporter.section("left out", bold=True)
    for reason, count in skipped.most_common():
        terminalreporter.line(f"{count} test{'s' if count > 1 else ''}: {reason}")
