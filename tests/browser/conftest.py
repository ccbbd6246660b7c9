"""A headless Chromium, and real runs for it to look at."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_runs import BENCHMARK, config_of, hostile_benchmark
from playwright.sync_api import Browser, Page, Request, sync_playwright

ROOT = Path(__file__).parent.parent.parent
SHOTS = ROOT / "outputs" / "screenshots"
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--disable-background-networking"),
    *("--disable-component-update", "--disable-default-apps", "--mute-audio", "--disable-dev-shm-usage"),
)
Open = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "no chromium on this machine; `make test-browser` installs Debian's"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()


def run_editeval(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The real command, in a process of its own."""
    command = [sys.executable, "-m", "editeval", *arguments]
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=300)


def made(folder: Path, name: str, config: dict[str, Any], expected: int = 0) -> Path:
    """The directory of the run of `config`."""
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    done = run_editeval("run", str(path), "--output-dir", str(folder / "outputs"), "--allow-code")
    assert done.returncode == expected, done.stderr[-3000:]
    return next((folder / "outputs").glob(f"{name}-*"))


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two runs of the built-in benchmark: `simulated`, and `identity`, whose outputs equal their sources."""
    folder = tmp_path_factory.mktemp("runs")
    return {name: made(folder, name, config_of(BENCHMARK, name)) for name in ("simulated", "identity")}


@pytest.fixture(scope="session")
def distances(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs by simulated editors, scored by the mean distance of pixels: less is better."""
    folder = tmp_path_factory.mktemp("distances")
    judge = {"type": "image_metrics", "params": {"device_ids": ["cpu"], "metrics": ["l1", "psnr"]}}
    benchmark = {"type": "procedural", "params": {"num_per_category": 2, "size": 64}}
    configs = {name: config_of(benchmark, "simulated") | {"reward_model": judge} for name in ("near", "far")}
    configs["near"]["diffusion_model"]["params"]["chances"] = {"default": {"partial": 0.9}}
    return [made(folder, name, config) for name, config in configs.items()]


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose every text tries to become a script; some of its edits fail."""
    folder = tmp_path_factory.mktemp("hostile")
    benchmark, editor = hostile_benchmark(folder)
    judge = {"type": "fakes.fake_judge", "params": {"device_ids": ["cpu"]}}
    config = {"benchmark": benchmark, "diffusion_model": editor, "reward_model": judge}
    return made(folder, "hostile", config, expected=3)


@pytest.fixture
def served() -> Iterator[Callable[..., str]]:
    """served(run, ...): the address that a real `editeval view` printed; it ends with the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> str:
        command = [sys.executable, "-m", "editeval", "view", *map(str, arguments), "--no-open"]
        env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
        processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line.startswith("http://127.0.0.1:"), line + process.stdout.read()
        return line

    yield start
    for process in processes:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture
def open_page(chromium: Browser, served: object) -> Iterator[Open]:
    """open_page(address, hash, **context): a page that is ready. At the end nothing may have gone wrong in any.

    It asks for `served`, so that pages are closed before servers end.
    """
    contexts, faults = [], []

    def failed(request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was left while it loaded
            faults.append(f"failed: {request.url[:200]} {request.failure}")

    def opened(address: str, fragment: str = "", **options: Any) -> Page:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 860}, "locale": "en-US"} | options)
        contexts.append(context)
        page = context.new_page()
        page.on("dialog", lambda dialog: (faults.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("pageerror", lambda error: faults.append(f"error {error}"))
        page.on("console", lambda message: faults.append(f"{message.type}: {message.text}"))
        page.on("requestfailed", failed)
        page.goto(address + fragment)
        page.wait_for_selector(".app[data-ready=true]", timeout=60_000)
        return page

    del served
    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def address_of(run: Path) -> str:
    return f"file://{run}/report.html"


def shot(page: Page, name: str, full_page: bool = False) -> Path:
    """A picture for people to look at, in outputs/screenshots."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.wait_for_timeout(250)
    path = SHOTS / f"{name}.png"
    page.screenshot(path=path, full_page=full_page)
    return path
