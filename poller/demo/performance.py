"""One run of the poller against the producers, watched until every record is accounted for."""

from collections.abc import Sequence
from dataclasses import replace

import anyio
from botocore.exceptions import BotoCoreError, ClientError

from poller.demo.ledger import Account
from poller.demo.picture import Camera, Picture
from poller.demo.producers import Producer
from poller.demo.stage import Stage
from poller.demo.summary import Ending
from poller.demo.view import View
from poller.settings import Profile, Settings
from poller.worker import Worker

# With these and the time that the server has to start, the whole ends within 90 s, whatever happens.
PRODUCING_LIMIT_S = 40.0
RUN_LIMIT_S = 60.0
DRAIN_LIMIT_S = 10.0

TICK_S = 0.25


class Performance:
    """Runs once."""

    def __init__(self, stage: Stage, settings: Settings, *, interrupted: anyio.Event) -> None:
        self._stage = stage
        self._interrupted = interrupted
        own = replace(
            settings,
            state=stage.state,
            profile=Profile.TEST,
            drain_timeout_s=DRAIN_LIMIT_S,
            api=None,
            ops=None,
        )
        self._worker = Worker(stage.mapping_set, own, on_ready=self._now_ready)
        self._ready = False
        self._trouble: str | None = None
        self._producing = anyio.CancelScope()
        self._produced = anyio.Event()
        self._ended = anyio.Event()
        self._begun = anyio.current_time()
        self._camera = Camera(planned=sum(len(producer.records) for producer in stage.producers))

    async def run(self, view: View) -> Ending:
        """Perform until everything has ended.

        Raises:
            StartError: A function cannot be hosted.
        """
        async with anyio.create_task_group() as group:
            group.start_soon(self._poll)
            group.start_soon(self._produce)
            while not self._ended.is_set():
                accounts = self._stage.ledger.accounts()
                view.show(self._picture(accounts))
                if self._over(accounts):
                    self._producing.cancel()
                    self._worker.drain.request()
                with anyio.move_on_after(TICK_S):
                    await self._ended.wait()
        accounts = self._stage.ledger.accounts()
        return Ending(
            picture=self._picture(accounts),
            accounts=accounts,
            interrupted=self._interrupted.is_set(),
            trouble=self._trouble,
        )

    async def _poll(self) -> None:
        if not await self._worker.run():
            self._give_up(f"the poller did not finish its work within {DRAIN_LIMIT_S:.0f} s")
        self._ended.set()

    async def _produce(self) -> None:
        try:
            with self._producing, anyio.move_on_after(PRODUCING_LIMIT_S):
                async with anyio.create_task_group() as group:
                    for producer in self._stage.producers:
                        group.start_soon(self._run_producer, producer)
        finally:
            self._produced.set()

    async def _run_producer(self, producer: Producer) -> None:
        try:
            await producer.run(self._stage.ledger)
        except (BotoCoreError, ClientError) as error:
            self._give_up(f"the producer for {producer.function} failed: {error}")

    def _over(self, accounts: Sequence[Account]) -> bool:
        finished = self._produced.is_set() and all(account.balanced for account in accounts)
        if not finished and self._elapsed_s() > RUN_LIMIT_S:
            self._give_up(f"not all was seen within {RUN_LIMIT_S:.0f} s")
        return finished or self._interrupted.is_set() or self._trouble is not None

    def _give_up(self, trouble: str) -> None:
        self._trouble = self._trouble or trouble

    def _now_ready(self, _: int, __: int) -> None:
        self._ready = True

    def _elapsed_s(self) -> float:
        return anyio.current_time() - self._begun

    def _picture(self, accounts: Sequence[Account]) -> Picture:
        phase = "draining" if self._worker.drain.requested else "running" if self._ready else "starting"
        return self._camera.take(
            self._worker.runners, accounts=accounts, phase=phase, elapsed_s=self._elapsed_s()
        )
