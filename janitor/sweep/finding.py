"""Finds the containers of every target, and surveys them side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import chain, count

from janitor.engine.calls import Deadline
from janitor.engine.crew import Crew
from janitor.engine.discover import discover
from janitor.engine.pool import as_completed
from janitor.engine.survey import Survey, Surveyor
from janitor.errors import JanitorError
from janitor.model import TargetOutcome
from janitor.observe.events import ContainerListed
from janitor.providers.base import Connection, Reader
from janitor.sweep.opening import Opened, crashed, target_deadline
from janitor.sweep.run import Run
from janitor.targets import Target, is_glob


@dataclass(frozen=True, slots=True)
class Finder:
    """Lists and judges for one run.

    `guides` are threads, one for each target; its containers are then listed by
    threads of its own. `surveyors` makes what judges with the help of others.
    """

    run: Run
    deadline: Deadline
    guides: Executor
    crew: Crew
    surveyors: Callable[[Executor], Surveyor]

    def survey_all(self, targets: Sequence[Opened]) -> list[Survey]:
        """Survey every container of every target; what cannot be found is a survey, too."""
        for opened in targets:
            if opened.identity.parks:
                self.crew.let_park(opened.job.target.name)
        # Known before the first of them can take every slot.
        for opened in targets[: self.crew.abreast]:
            self.crew.requests(opened.trouble.where).arrive()
        found = self.guides.map(self._visit, targets, count())
        return sorted(chain.from_iterable(found), key=lambda survey: survey.where)

    def _visit(self, opened: Opened, number: int) -> list[Survey]:
        requests = self.crew.requests(opened.trouble.where)
        if number >= self.crew.abreast:
            requests.arrive()
        try:
            return self._survey_target(opened, self.surveyors(requests))
        finally:
            requests.depart()

    def _survey_target(self, opened: Opened, surveyor: Surveyor) -> list[Survey]:
        target = opened.job.target
        readers, surveys = self._find(opened)

        def survey(reader: Reader) -> Survey:
            deadline = target_deadline(self.run, self.deadline)
            surveyed = surveyor.survey(reader, target.policy, deadline)
            self.run.tell(ContainerListed(surveyed.where))
            return surveyed

        listings = self.crew.listings(opened.trouble.where)
        window = max(self.crew.window, self.crew.abreast)
        surveys.extend(as_completed(survey, [(listings, readers)], window))
        return surveys

    def _find(self, opened: Opened) -> tuple[list[Reader], list[Survey]]:
        """Find the containers of one target; where that fails, its exact names still count."""
        target, trouble, connection = opened.job.target, opened.trouble, opened.connection
        readers: list[Reader] = []
        if connection is None:
            return readers, [trouble]
        names = {name for name in target.containers if not is_glob(name)}
        try:
            readers = self._readers(connection, target, sorted(names))
            if len(names) < len(target.containers):
                deadline = target_deadline(self.run, self.deadline)
                globbed = discover(target, connection, self.run.caller, deadline)
                found = [name for name in globbed if name not in names]
                readers += self._readers(connection, target, found)
                if not globbed:
                    trouble.outcome = TargetOutcome.INCOMPLETE
                    trouble.error = f"no container matches {', '.join(target.containers)}"
        except JanitorError as error:
            trouble.fail(error)
        except Exception as error:  # noqa: BLE001  # one target must not stop the others
            trouble.fail(error)
            crashed(self.run, trouble.where, error)
        return readers, [trouble] if trouble.error is not None else []

    def _readers(
        self, connection: Connection, target: Target, names: Iterable[str]
    ) -> list[Reader]:
        """Give readers of the containers that are ours to look after."""
        return [connection.reader(name) for name in names if self.run.owns(target.name, name)]
