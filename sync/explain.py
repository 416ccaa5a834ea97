"""“Why is this (not) in Google?” for the activity's page, with rule and next step (R21)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.models import ExternalAccount, Profile, profiles_by_email
from activities.models import Activity
from creatio_sync.templatetags.words import said
from sync import conflicts, store
from sync import pending as on_its_way
from sync.core import mapping
from sync.core.decide import Presence, why_not_to_cancel
from sync.core.eligibility import Window, first_unmet, reasons_to_send
from sync.core.people import Roles, organizer_of
from sync.core.reasons import Reason
from sync.models import EventLink, SyncedCalendar, SyncOutcome, SyncSettings

State = EventLink.State
PAUSED = gettext_noop("An administrator has paused the synchronization of your account.")


@dataclass
class Explanation:
    """How an activity stands in one person's Google Calendar. `tone` is a tone of the design."""

    state: str  # in_google, pending, leaving, frozen, parked, not_in_google, gone, not_connected, not_set_up
    title: str
    tone: str
    reasons: list[Reason] = field(default_factory=list)
    next_step: str = ""
    calendar_login: str = ""
    runs_by: str = ""
    synchronized_at: datetime | None = None
    html_link: str = ""
    is_paused: bool = False
    link: EventLink | None = None
    conflicts: list[SyncOutcome] = field(default_factory=list)
    pending: on_its_way.Pending = field(default_factory=on_its_way.Pending)


def explain(*, activity: Activity, profile: Profile, now: datetime) -> Explanation:
    """Return why this activity is, or is not, in this person's Google Calendar."""
    account = profile.google_account
    settings = SyncSettings.objects.select_related("tag").filter(profile=profile).first()
    if account is None or account.status != ExternalAccount.Status.CONNECTED:
        return _without_access(account)
    if settings is None:
        step = _("Open the set-up page, check the settings and save them.")
        return Explanation("not_set_up", _("Not set up"), "late", next_step=step, calendar_login=account.login)
    calendar = SyncedCalendar.objects.filter(account=account).first()
    link = link_of(activity, calendar=calendar)
    reasons = conditions(activity=activity, profile=profile, settings=settings, link=link)
    found = _of_link(link, activity, profile, reasons) if link else _of_activity(activity, profile, reasons)
    if account.paused:
        reasons.append(Reason(False, _(PAUSED), "R20"))
        found.next_step = _("Ask an administrator to resume it; until then nothing flows, and nothing is lost.")
    found.is_paused, found.reasons, found.link = account.paused, reasons, link
    found.calendar_login = account.login
    found.runs_by = _runs_by(activity, profile)
    found.synchronized_at = last_synchronized(link) if link else None
    if link and found.state == "in_google":
        found.pending = on_its_way.pending(activity=activity, whole=whole_of(activity), link=link, profile=profile)
    found.html_link = mapping.facts_of(link.event).html_link if link and _is_there(link) else ""
    found.conflicts = list(
        conflicts.unresolved(profile)
        .filter(activity__in=[activity, whole_of(activity)])
        .select_related("activity")
        .order_by("-id")
    )
    return found


def whole_of(activity: Activity) -> Activity:
    """Return what goes to Google as one: of a repeating activity the row that stands for all of it (R15)."""
    return activity.series.head if activity.series and not activity.is_series else activity


def link_of(activity: Activity, *, calendar: SyncedCalendar | None) -> EventLink | None:
    """Return the link that ties an activity to this calendar: its own, else that of its whole series (R15)."""
    links = EventLink.objects.filter(calendar=calendar).select_related("calendar__account")
    own = links.filter(activity=activity).first()
    if own or activity.series_id is None:
        return own
    return links.filter(activity=whole_of(activity)).first()


def last_synchronized(link: EventLink) -> datetime | None:
    """
    Return when a session last brought both sides together; None if none has.

    Of what is gone on one side, both do not hold the same, but a session has dealt with it.
    """
    if link.state == State.LINKED and link.settled_at:
        return link.settled_at
    done = SyncOutcome.objects.filter(link=link).exclude(action=SyncOutcome.Action.PARKED)
    at = done.order_by("-at").values_list("at", flat=True).first()
    return max((moment for moment in (at, link.settled_at) if moment), default=None)


def _is_there(link: EventLink) -> bool:
    return link.state != State.DETACHED and link.event.get("status") != "cancelled"


def _without_access(account: ExternalAccount | None) -> Explanation:
    if account is None:
        step = _("Connect your Google account in Your profile → Additional settings → Accounts in external resources.")
        return Explanation("not_connected", _("Not connected"), "final", next_step=step)
    step = _("Connect your Google account again; nothing is lost.")
    reason = Reason(False, account.status_reason or _("Google does not accept our access any more."), "R20", step)
    return Explanation(
        "not_connected", _("Needs reconnecting"), "bad", [reason], next_step=step, calendar_login=account.login
    )


def _of_link(link: EventLink, activity: Activity, profile: Profile, reasons: list[Reason]) -> Explanation:
    unmet = first_unmet(reasons)
    is_gone = store.presence_here(activity) is not Presence.PRESENT
    was_gone = (link.base_here or {}).get("presence", "present") != "present"
    is_mine = activity.organizer_id == profile.pk
    if is_gone:
        reasons.append(Reason(False, _status_words(activity), "R14"))
    if link.state == State.DETACHED:
        if not (is_gone or is_mine) and not activity.participants.filter(profile=profile).exists():
            return _of_somebody_taken_off(link, activity, reasons)
        return _of_detached(link, reasons, returns=is_mine and was_gone and not is_gone and not unmet)
    if link.retry_at or (link.reason and link.state == State.LINKED):
        step = _("It is tried again by itself; Retry tries at once.")
        reasons.append(Reason(False, link.reason, link.rule or "R19", step))
        return Explanation("parked", _("Could not be synchronized"), "bad", next_step=step)
    is_by_me = is_mine or activity.organizer is None  # A guest's own tag says nothing about what runs by the Organizer.
    if link.state == State.FROZEN or (unmet and is_by_me and link.state == State.LINKED):
        step = unmet.next_step if unmet else _("The next session resumes it.")
        return Explanation("frozen", _("Frozen"), "late", next_step=step)
    if link.state == State.INSERTING:
        return Explanation("pending", _("On its way to Google"), "open", next_step=_("The next session completes it."))
    if is_gone and is_mine and not was_gone:
        facts = mapping.facts_of(link.event)
        if why_not := why_not_to_cancel(why_read_only=facts.why_read_only, is_own_copy=facts.is_own):
            reasons.append(Reason(False, why_not, "R6"))
            return Explanation("in_google", _("In Google"), "good", next_step=_("The next session sets it back here."))
        return Explanation("leaving", _("Leaving Google"), "open", next_step=_("The next session removes the event."))
    return Explanation("in_google", _("In Google"), "good")


def _of_detached(link: EventLink, reasons: list[Reason], *, returns: bool) -> Explanation:
    if returns:
        return Explanation("pending", _("Returning to Google"), "open", next_step=_("The next session adds it again."))
    step = _("Set the activity back, or bring the event back in Google, and it returns.")
    if first_unmet(reasons) is None:
        reasons.append(Reason(False, _("Its event is not in your Google Calendar any more."), "R14"))
        step = _("Bring the event back in Google, and the next session finds its activity.")
    return Explanation("gone", _("Removed from Google"), "final", next_step=step)


def _of_somebody_taken_off(link: EventLink, activity: Activity, reasons: list[Reason]) -> Explanation:
    """Nothing that they do in their own calendar brings the event back (R7)."""
    name = _who_invites(link, activity)
    text = _("%(name)s has taken you off this meeting, so Google took it out of your calendar.") % {"name": name}
    reasons.append(Reason(False, text, "R7"))
    step = _("Ask %(name)s to add you again. The invitation then comes with your next synchronization.") % {
        "name": name
    }
    return Explanation("gone", _("Removed from Google"), "final", next_step=step)


def _who_invites(link: EventLink, activity: Activity) -> str:
    """Return the name, else the address, of whoever organizes the event in Google, who need not work here."""
    address = mapping.facts_of(link.event).organizer
    known = profiles_by_email([address]).get(address)
    organizer = Profile.objects.get(pk=known) if known else (None if address else activity.organizer)
    return organizer.full_name if organizer else address or _("The organizer")


def _status_words(activity: Activity) -> str:
    return _("It is deleted.") if activity.deleted_at else _("It is Canceled.")


def _of_activity(activity: Activity, profile: Profile, reasons: list[Reason]) -> Explanation:
    former = EventLink.objects.filter(activity=whole_of(activity), calendar__account__profile=profile)
    if link := former.exclude(state=State.FORGOTTEN).select_related("calendar__account").first():
        login = link.calendar.account.login
        text = _("Its event is in the Google Calendar of %(login)s, an account that you have disconnected.")
        step = _("Connect %(login)s again, and it resumes.") % {"login": login}
        reasons.append(Reason(False, text % {"login": login}, "R22", step))
    elif ignored := store.ignored_copy(whole_of(activity).pk, profile=profile.pk):
        step = _("Accept it in your Google Calendar, and synchronize.") if ignored.rule == "R2" else ""
        reasons.append(Reason(False, said(ignored.reason), ignored.rule, step))
    elif store.is_linked_anywhere(whole_of(activity).pk):
        text = _("It is in a colleague's Google Calendar. Yours shows it once Google has invited you.")
        reasons.append(Reason(False, text, "R5", _("Synchronize once the invitation is in your Google Calendar.")))
    if store.presence_here(activity) is not Presence.PRESENT:
        reasons.append(Reason(False, _status_words(activity), "R14", _("Set it back, and it is sent.")))
    unmet = first_unmet(reasons)
    if unmet:
        others = next((reason for reason in reasons if reason.rule in ("R2", "R5", "R22") and not reason.met), unmet)
        return Explanation("not_in_google", _("Not in Google"), "final", next_step=others.next_step)
    return Explanation("pending", _("Not in Google yet"), "open", next_step=_("The next session adds it."))


def conditions(*, activity: Activity, profile: Profile, settings: SyncSettings, link: EventLink | None) -> list[Reason]:
    """Return every condition of R1 with whether it holds, and who organizes (R5). A series is selected as a whole."""
    in_other = link is not None and link.google_calendar_id != settings.calendar_id
    facts = store.selected_for(activity, me=profile.pk, wanted=settings.own_tag, is_in_other_calendar=in_other)
    reasons = reasons_to_send(facts, window=Window(settings.sync_from, profile.time_zone))
    if store.selected_as(activity, me=profile.pk).is_series:
        reasons.append(Reason(True, _("It repeats, and goes to Google as a whole series."), "R15"))
    return [*reasons, _about_organizer(activity, profile, link)]


def _about_organizer(activity: Activity, profile: Profile, link: EventLink | None) -> Reason:
    roles = Roles(
        me=profile.pk,
        organizer=activity.organizer_id,
        owner=activity.owner_id,
        takes_part=activity.participants.filter(profile=profile).exists(),
        set_up=store.set_up_among([activity.organizer_id, activity.owner_id]),
        is_own_copy=bool(link and mapping.facts_of(link.event).is_own),
        is_organizers_as_well=bool(link and store.is_in_a_shared_calendar(link, activity)),
    )
    who = organizer_of(roles)
    if who.organizer != profile.pk:
        name = activity.organizer.full_name if activity.organizer else _("nobody yet")
        if link:
            return Reason(True, _("It runs by the calendar of its Organizer, %(name)s.") % {"name": name}, "R5")
        text = _("Its Organizer is %(name)s.") % {"name": name}
        return Reason(False, text, "R5", _("It is sent by the synchronization of %(name)s.") % {"name": name})
    if who.reason:
        return Reason(True, _("You will be its Organizer: %(reason)s") % {"reason": said(who.reason)}, "R5")
    return Reason(True, _("You are its Organizer."), "R5")


def _runs_by(activity: Activity, profile: Profile) -> str:
    if activity.organizer_id == profile.pk:
        return _("your calendar")
    name = activity.organizer.full_name if activity.organizer else ""
    return _("the calendar of %(name)s") % {"name": name} if name else ""
