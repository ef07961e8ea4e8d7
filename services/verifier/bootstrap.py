"""Composition of the verifier: its HTTP part, and the consumer of the log with the schedule."""

from functools import partial
from threading import Event, Thread
from time import monotonic, sleep

from chassis.authentication.factory import open_authentication, open_tokens
from chassis.authentication.refusals import RefusalLog
from chassis.database import open_pool
from chassis.database_clock import DatabaseClock
from chassis.ids import new_id
from chassis.migrations import schema_check
from chassis.observability.exposition import exposition
from chassis.observability.process_server import serve_process
from chassis.runtime.clock import now
from chassis.runtime.loops import Loops
from chassis.runtime.readiness import starting
from chassis.runtime.slots import Slots
from chassis.settings.environment import Settings
from chassis.web.api_part import ApiPart, database_check, started
from chassis.web.limits import open_limits
from contracts.access_log import refusal_recorder
from eventlog.consumers import ConcurrentConsumer, follow, open_wakeups
from eventlog.storage import DatabaseMetrics, PostgresRefusals, keys_of
from registries.protocol.browser import Browser
from secretstore.factory import new_secret_store, open_secret_store
from secretstore.installation import await_key_file, compare_keys, refuse_wrong_keys
from secretstore.keyfile import KeyFile
from secretstore.personal_keys import open_personal_keys
from verifier.api import login_tests, refusals, registry_contents
from verifier.image_browser import ImageBrowser
from verifier.logins import open_logins
from verifier.postgres_store import PostgresVerificationStore
from verifier.schedule.admission import Admission
from verifier.schedule.hold_table import HoldTable
from verifier.schedule.login_limiter import Bulkhead, LoginLimiter
from verifier.schedule.notices import Notices
from verifier.schedule.scheduler import Scheduler
from verifier.schedule.table import ScheduleTable
from verifier.schedule.verification_handler import TYPES, VerificationHandler
from verifier.verifier import Verifier

ROLE = "regcred_verifier"
SCHEMA = ("eventlog.storage", "secretstore", "chassis.authentication", "verifier")
API_CONNECTIONS = 6
API_SLOTS = 12  # threads of the HTTP server that may wait for registries; the others serve other requests
API_SLOTS_PER_ACCOUNT = 3
API_SLOTS_PER_HOST = 6
API_RESERVED_SLOTS = 3  # for accounts without a request that waits
API_RETRY_SECONDS = 2
CONSUMER = "verifier"
PAUSE_SECONDS = 0.02  # the verifier handles few types of events: under load it skips the others in batches
FREE_HANDLERS = 4  # threads that postpone verifications while all slots for logins are taken
SCHEDULE_CONNECTIONS = 8  # a scheduled login uses a connection for a short time only


def registry_api(settings: Settings) -> ApiPart:
    """Return the started HTTP part, with its own connections. Raises `CannotStart`."""
    return started(registry_part(settings))


def registry_part(settings: Settings) -> ApiPart:
    """Test logins before they are saved, and list tags and images. It connects to nothing before its start.

    This part of the API writes no events other than `access.denied`. It shares the holds after refusals with
    the consumer of the log.
    """
    url, keys = settings.required_database_url(), KeyFile.load(settings.key_file)
    compare = partial(compare_keys, keys)
    pool = open_pool(
        url, role=ROLE, size=API_CONNECTIONS, serves_requests=True, examine=compare, connects=False
    )
    secrets = new_secret_store(settings, pool=pool, keys=keys, waiting_threads=API_SLOTS_PER_ACCOUNT)
    slots = Slots(
        total=API_SLOTS,
        per_account=API_SLOTS_PER_ACCOUNT,
        retry_after=API_RETRY_SECONDS,
        reserved=API_RESERVED_SLOTS,
    )
    limits = open_limits(settings.limits, url, role=ROLE)
    logins = open_logins(settings, now=now)
    table = ScheduleTable(pool)
    admission = Admission(
        holds=HoldTable(pool),
        limiter=_limiter(settings),
        bulkhead=Bulkhead(API_SLOTS, per_host=API_SLOTS_PER_HOST, untried=API_SLOTS_PER_HOST),
        now=DatabaseClock(pool, monotonic=monotonic),
        monotonic=monotonic,
        sleep=sleep,
    )
    browser = ImageBrowser(
        streams=PostgresVerificationStore(pool, open_personal_keys(keys)).credential,
        secrets=secrets,
        minter=logins.minter,
        browser=Browser(policy=logins.policy, deadline_seconds=logins.deadline_seconds, tls=logins.tls),
        admission=admission,
        last_outcome=table.last_outcome,
    )

    def start() -> None:
        refuse_wrong_keys(url, role=ROLE, compare=compare)
        pool.open()
        secrets.bind()

    personal = open_personal_keys(keys)
    denied = RefusalLog(
        refusal_recorder(PostgresRefusals(pool, keys_of(pool, personal)), new_id=new_id), monotonic=monotonic
    )

    def close() -> None:
        denied.close()
        secrets.close()
        limits.close()
        pool.close()

    return ApiPart(
        blueprints=(
            login_tests.blueprint(
                logins, slots, admission, http_allowed=settings.allows_http, now=now, monotonic=monotonic
            ),
            registry_contents.blueprint(browser, slots),
        ),
        authenticate=open_authentication(settings, open_tokens(pool, keys)),
        checks={"database": database_check(pool, SCHEMA), "secret_store": secrets.check},
        install=refusals.install,
        start=start,
        close=close,
        limits=limits,
        expose=exposition([DatabaseMetrics.of(settings, role=ROLE)]),
        refused=denied,
    )


def run_verifier(settings: Settings, stop: Event) -> None:
    """Verify until `stop` is set. Several processes may run; one leads."""
    url = settings.required_database_url()
    loops, checks = Loops(), {"database": schema_check(url, SCHEMA, role=ROLE), "secret_store": starting}
    metrics = [DatabaseMetrics.of(settings, role=ROLE)]
    serve_process(settings.metrics_listen, metrics, checks=checks, loops=loops)
    keys = await_key_file(url, settings.key_file, role=ROLE, stop=stop)
    if keys is None:
        return
    concurrency = settings.consumers.verifier_concurrency
    pool = open_pool(url, role=ROLE, size=concurrency + FREE_HANDLERS + SCHEDULE_CONNECTIONS)
    secrets = open_secret_store(settings, pool=pool, keys=keys)
    checks["secret_store"] = secrets.check
    personal = open_personal_keys(keys)
    store = PostgresVerificationStore(pool, personal)
    limiter = _limiter(settings)
    clock = DatabaseClock(pool, monotonic=monotonic)
    verifier = Verifier(
        store,
        secrets,
        open_logins(settings, now=now, use_short_timeout=lambda host: limiter.open_for(host) > 0),
        streams=store.credential,
        now=clock,
        monotonic=monotonic,
        new_id=new_id,
    )
    logins, table, holds = settings.logins, ScheduleTable(pool), HoldTable(pool)
    handler = VerificationHandler(
        verifier=verifier,
        table=table,
        holds=holds,
        limiter=limiter,
        streams=store.credential,
        event=store.event,
        interval=logins.reverify_interval,
        now=clock,
        new_id=new_id,
    )
    notices = Notices(store, table, store.credential, now=clock, new_id=new_id)
    scheduler = Scheduler(
        handler, table, holds, limiter, notices, concurrency=logins.reverify_concurrency, now=clock
    )
    schedule = Thread(
        target=scheduler.run,
        args=(url,),
        kwargs={"role": ROLE, "stop": stop, "step": loops.add("schedule")},
        name="schedule",
    )
    schedule.start()
    wakeups = open_wakeups(settings, role=ROLE, queue="regcred.verifier")
    consumer = ConcurrentConsumer(
        partial(handler.handle, bulkhead=Bulkhead(concurrency)),
        name=CONSUMER,
        types=TYPES,
        concurrency=concurrency + FREE_HANDLERS,
        tiers=settings.consumers.retry_tiers,
        stop=stop,
        personal=personal,
    )
    follow(
        consumer,
        database_url=url,
        role=ROLE,
        name=CONSUMER,
        wakeups=wakeups,
        stop=stop,
        personal=personal,
        pause=PAUSE_SECONDS,
        step=loops.add("verifier"),
    )
    consumer.close()
    schedule.join()
    wakeups.close()
    secrets.close()
    pool.close()


def _limiter(settings: Settings) -> LoginLimiter:
    logins = settings.logins
    return LoginLimiter(per_host=logins.per_host, per_account=logins.per_account, monotonic=monotonic)
