"""Finds the containers of every target, and surveys them side by side."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from janitor.engine.calls import Deadline
from janitor.engine.discover import discover
from janitor.engine.survey import Survey, Surveyor
from janitor.errors import JanitorError
from janitor.model import TargetOutcome
from janitor.observe.events import ContainerListed
from janitor.providers.base import Reader
from janitor.sweep.opening import Opened, crashed, target_deadline
from janitor.sweep.run import Run
from janitor.targets import Target, is_glob


@dataclass(frozen=True, slots=True)
class Finder:
    """Lists and judges for one run; `listings` are the threads, one for each container."""

    run: Run
    deadline: Deadline
    listings: Executor
    surveyor: Surveyor

    def survey_all(self, targets: Sequence[Opened]) -> list[Survey]:
        """Survey every container of every target; what cannot be found is a survey, too."""
        found = list(self.listings.map(self._find, targets))
        readers = [pair for pairs, _ in found for pair in pairs]
        surveys = [survey for _, failed in found for survey in failed]
        surveys.extend(self.listings.map(self._survey, readers))
        return sorted(surveys, key=lambda survey: survey.where)

    def _find(self, opened: Opened) -> tuple[list[tuple[Reader, Target]], list[Survey]]:
        """Find the containers of one target; where that fails, its exact names still count."""
        target, trouble, connection = opened.job.target, opened.trouble, opened.connection
        readers: list[tuple[Reader, Target]] = []
        if connection is None:
            return readers, [trouble]
        names = {name for name in target.containers if not is_glob(name)}
        try:
            readers = [(connection.reader(name), target) for name in sorted(names)]
            if len(names) < len(target.containers):
                deadline = target_deadline(self.run, self.deadline)
                globbed = discover(target, connection, self.run.caller, deadline)
                readers += [(connection.reader(n), target) for n in globbed if n not in names]
                if not globbed:
                    trouble.outcome = TargetOutcome.INCOMPLETE
                    trouble.error = f"no container matches {', '.join(target.containers)}"
        except JanitorError as error:
            trouble.fail(error)
        except Exception as error:  # noqa: BLE001  # one target must not stop the others
            trouble.fail(error)
            crashed(self.run, trouble.where, error)
        return readers, [trouble] if trouble.error is not None else []

    def _survey(self, pair: tuple[Reader, Target]) -> Survey:
        reader, target = pair
        deadline = target_deadline(self.run, self.deadline)
        survey = self.surveyor.survey(reader, target.policy, deadline)
        self.run.tell(ContainerListed(survey.where))
        return survey
