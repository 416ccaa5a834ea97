"""Communication options: ways to reach a person, whose e-mail addresses decide who takes part (R7)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from accounts import services
from accounts.models import CommunicationOption, ExternalAccount, User, profiles_by_email
from accounts.signals import emails_changed
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.rule("R7")]


@pytest.fixture
def anna() -> User:
    return make_user("anna")


@pytest.fixture
def browser(client: Client, anna: User) -> Client:
    client.force_login(anna)
    return client


@pytest.fixture
def announced() -> Iterator[list[set[str]]]:
    heard: list[set[str]] = []

    def listen(*, addresses: set[str], **_: object) -> None:
        heard.append(addresses)

    emails_changed.connect(listen)
    yield heard
    emails_changed.disconnect(listen)


def values(user: User) -> list[str]:
    return [option.value for option in user.profile.communication_options.all()]


def option_of(user: User, value: str) -> CommunicationOption:
    return user.profile.communication_options.get(value=value)


def test_adding_an_address_makes_its_holder_known_by_it(browser, anna, announced):
    browser.post("/profile/communication-options/new/", {"kind": "email", "value": " Anna.Berg@Northfold.example "})

    assert "Anna.Berg@Northfold.example" in values(anna)
    assert profiles_by_email(["ANNA.berg@northfold.example"]) == {"anna.berg@northfold.example": anna.profile.pk}
    assert announced == [{"anna.berg@northfold.example"}]


def test_changing_an_address_announces_the_one_that_left_and_the_one_that_came(browser, anna, announced):
    option = option_of(anna, "anna@northfold.example")

    browser.post(f"/profile/communication-options/{option.pk}/", {"value": "a.berg@northfold.example"})

    assert values(anna) == ["a.berg@northfold.example"]
    assert announced == [{"anna@northfold.example", "a.berg@northfold.example"}]


def test_deleting_an_address_announces_it(browser, anna, announced):
    browser.post(f"/profile/communication-options/{option_of(anna, 'anna@northfold.example').pk}/delete/")

    assert values(anna) == []
    assert announced == [{"anna@northfold.example"}]


def test_phone_numbers_are_nobodys_business(browser, anna, announced):
    make_user("boris").profile.communication_options.create(kind="mobile_phone", value="+46 70 555 01 42")

    browser.post("/profile/communication-options/new/", {"kind": "mobile_phone", "value": "+46 70 555 01 42"})

    assert "+46 70 555 01 42" in values(anna)
    assert announced == []


@pytest.mark.parametrize("spelling", ["boris@northfold.example", "BORIS@northfold.example"])
def test_an_address_of_somebody_else_is_refused_with_their_name(browser, anna, announced, spelling):
    make_user("boris")

    page = browser.post("/profile/communication-options/new/", {"kind": "email", "value": spelling})

    assert page.status_code == 422
    assert "is on the Communication options of Boris already" in page.content.decode()
    assert values(anna) == ["anna@northfold.example"]
    assert announced == []


def test_the_same_address_twice_is_refused(browser, anna):
    page = browser.post("/profile/communication-options/new/", {"kind": "email", "value": "Anna@Northfold.example"})

    assert "You have Anna@Northfold.example on your list already." in page.content.decode()


def test_changing_to_an_address_of_somebody_else_is_refused_and_changes_nothing(browser, anna):
    make_user("boris")
    option = option_of(anna, "anna@northfold.example")

    page = browser.post(f"/profile/communication-options/{option.pk}/", {"value": "boris@northfold.example"})

    assert page.status_code == 422
    assert values(anna) == ["anna@northfold.example"]


def test_a_race_for_an_address_ends_in_the_same_words(anna, monkeypatch):
    make_user("boris")
    monkeypatch.setattr(services, "_refuse_taken", lambda _option: None)  # Boris comes between the look and the save.

    with pytest.raises(services.UnableToSaveOption, match="belongs to somebody else already"):
        services.add_option(profile=anna.profile, kind="email", value="Boris@northfold.example")


def test_the_database_holds_an_address_once_whatever_its_case(anna):
    with pytest.raises(IntegrityError), transaction.atomic():
        CommunicationOption.objects.create(profile=make_user("boris").profile, value="ANNA@northfold.example")


@pytest.mark.parametrize(
    ("kind", "value"),
    [("email", "no address"), ("web", "javascript:alert(1)"), ("pigeon", "coo"), ("email", ""), ("web", "not a page")],
)
def test_what_is_no_address_is_refused(browser, anna, kind, value):
    page = browser.post("/profile/communication-options/new/", {"kind": kind, "value": value})

    assert page.status_code == 422
    assert values(anna) == ["anna@northfold.example"]


def test_nobody_touches_the_options_of_others(browser, anna):
    boris = make_user("boris")
    option = option_of(boris, "boris@northfold.example")
    address = f"/profile/communication-options/{option.pk}/"

    assert browser.get(address).status_code == 404
    assert browser.post(address, {"value": "x@northfold.example"}).status_code == 404
    assert browser.post(f"{address}delete/").status_code == 404
    assert values(boris) == ["boris@northfold.example"]


def test_the_login_of_the_connected_google_account_stays(browser, anna):
    ExternalAccount.objects.create(profile=anna.profile, login="Anna@northfold.example", subject="1")
    option = option_of(anna, "anna@northfold.example")

    browser.post(f"/profile/communication-options/{option.pk}/delete/")
    page = browser.post(f"/profile/communication-options/{option.pk}/", {"value": "other@northfold.example"})

    assert "is the login of your connected Google account" in page.content.decode()
    assert values(anna) == ["anna@northfold.example"]


def test_a_proven_address_is_taken_from_whoever_typed_it(anna, announced):
    boris = make_user("boris")
    services.add_option(profile=boris.profile, kind="email", value="anna@gmail.example")
    announced.clear()

    services.give_email(profile=anna.profile, address="Anna@Gmail.example")

    assert values(boris) == ["boris@northfold.example"]
    assert "Anna@Gmail.example" in values(anna)
    assert announced == [{"anna@gmail.example"}]


def test_an_address_google_does_not_vouch_for_is_taken_from_nobody(anna, announced):
    boris = make_user("boris")

    services.give_email(profile=anna.profile, address="boris@northfold.example", is_proven=False)

    assert values(boris) == ["boris@northfold.example"]
    assert announced == []
