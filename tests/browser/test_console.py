"""An operator's way through the admin, in light and dark, wide and narrow."""

import os
from pathlib import Path

import pytest

from replication.models import Delivery, Lane, ReplicationRegion
from rs3gw.storage.models import Bucket

pytestmark = pytest.mark.browser

PAGES = [
    "/admin/",
    "/admin/replication/bucketreplicationconfig/",
    "/admin/replication/lane/",
    "/admin/replication/replicationeventrecord/",
    "/admin/replication/delivery/",
    "/admin/replication/replicationregion/",
    "/admin/replication/registerrevision/",
    "/admin/cluster/node/",
    "/admin/storage/bucket/",
    "/admin/storage/objectversion/",
    "/admin/s3/accesskey/",
    "/admin/auth/user/",
    "/admin/storage/bucket/add/",
    "/admin/replication/replicationregion/add/",
    "/admin/replication/bucketreplicationconfig/add/",
    "/admin/auth/user/add/",
]
SHOTS = os.environ.get("SCREENSHOTS_DIR", "")


def shoot(page, name):
    """Keep a picture for a person to look at, when one asked for it."""
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def overflow(page):
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_pages_open_without_a_complaint(busy_node, open_page, scheme):
    page = open_page(scheme=scheme)
    for path in PAGES:
        page.goto(path)
        assert page.locator("h1, #verdict").first.is_visible()
        assert page.locator("[aria-current=page]").count() == 1, path
        shoot(page, f"{scheme}{path.replace('/', '-')}")


def test_all_pages_fit_a_telephone(busy_node, open_page):
    page = open_page(width=390, height=844)
    for path in PAGES:
        page.goto(path)
        shoot(page, f"narrow{path.replace('/', '-')}")
        assert overflow(page) <= 0, path


def test_the_login_page_stands_alone(node, open_page):
    page = open_page("/admin/", log_in=False)

    assert page.locator("#id_username").is_visible()
    assert page.locator(".sections").count() == 0
    shoot(page, "login")


def test_the_theme_can_be_forced(node, open_page):
    page = open_page()
    seen = {page.evaluate("getComputedStyle(document.body).backgroundColor")}
    for _ in range(3):
        page.click("#header .theme-toggle")
        seen.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert len(seen) == 2


def test_the_sections_are_a_drawer_on_a_telephone(node, open_page):
    page = open_page(width=390, height=844)
    assert not page.locator("#sections").is_visible()
    page.click(".nav-open")
    page.locator("#sections a", has_text="Buckets").click()
    page.wait_for_url("**/storage/bucket/")

    page.click(".nav-open")
    page.keyboard.press("Escape")
    assert not page.locator("#sections").is_visible()


def test_the_overview_follows_what_happens(busy_node, open_page):
    page = open_page()
    assert "node-3 does not answer" in page.locator("#verdict").inner_text()
    Delivery.objects.all().delete()
    page.locator("[data-fragment=parked] .empty").wait_for()


def test_a_frozen_overview_stays_as_it_is(busy_node, open_page):
    page = open_page()
    page.click("#live button")
    Delivery.objects.all().delete()
    page.wait_for_timeout(2500)
    assert page.locator("[data-fragment=parked] tbody tr").count() == 2
    page.click("#live button")
    page.locator("[data-fragment=parked] .empty").wait_for()


def test_a_link_is_paused_on_the_overview(busy_node, open_page):
    page = open_page()
    row = page.locator("[data-fragment=links] tr", has_text="node-2")
    row.get_by_role("button", name="Pause").click()
    page.locator(".messagelist", has_text="Paused the link to node-2").wait_for()

    assert Lane.objects.get(destination="node-2").state == "paused"
    assert row.get_by_role("button", name="Resume").is_visible()


def test_a_bucket_is_made_by_hand(node, open_page):
    page = open_page()
    page.locator(".steps a", has_text="New bucket").click()
    page.fill("#id_name", "Not A Name")
    page.click("input[name=_save]")
    page.locator(".errorlist").wait_for()
    page.fill("#id_name", "photos")
    page.click("input[name=_save]")
    page.wait_for_url("**/storage/bucket/")

    assert Bucket.objects.filter(name="photos").exists()


def test_a_region_is_made_by_hand_and_shows_its_key(node, open_page):
    page = open_page("/admin/replication/replicationregion/add/")
    page.fill("#id_name", "eu-west-1")
    page.fill("#id_endpoints", "10.0.0.5:9001")
    page.click("input[name=_save]")
    page.locator(".secrets code").wait_for()
    shoot(page, "secret")

    assert len(page.locator(".secrets code").inner_text()) >= 32
    assert ReplicationRegion.objects.filter(name="eu-west-1").exists()


def test_the_description_of_the_api_is_readable(node, open_page):
    page = open_page("/api/docs/")
    page.locator(".opblock").first.wait_for()
    shoot(page, "api-docs")
