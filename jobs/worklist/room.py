"""What the pages of the reading room share: the lake, the nights, the network, the answers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from jobs.feedback import FeedbackAnswer, list_answers, read_answer
from jobs.lake import Lake
from jobs.single_image import ImagePredictor, PredictionTerms
from jobs.worklist.access import AccessPolicy
from jobs.worklist.marks import Marker
from jobs.worklist.night_store import NightStore
from jobs.worklist.rendering import Renderer
from model.unforeseen import describe_unforeseen

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class RoomOptions:
    """How the room is run.

    Attributes:
        policy: who may come in.
        form_secret: signs forms.
        zone: the hospital's; times are shown in it.
        pacs_url: address of a study in the PACS viewer with ``{study_uid}``, or None.
        show_unsure_pictures: show DICOM that leaves open whether text is burned in.
        double_readings: cleared studies of a night that are read once more.
        maximum_upload_bytes: of an image that is tried by hand.
        now: the clock, with a time zone.
    """

    policy: AccessPolicy
    form_secret: bytes
    zone: ZoneInfo
    pacs_url: str | None
    show_unsure_pictures: bool
    double_readings: int
    maximum_upload_bytes: int
    now: Callable[[], datetime]


class ReadingRoom:
    """Holds what outlives a request. Safe to use from several threads."""

    def __init__(self, lake: Lake, terms: PredictionTerms, options: RoomOptions) -> None:
        """Gather; nothing is started yet."""
        self.lake = lake
        self.terms = terms
        self.options = options
        self.store = NightStore(lake)
        self.answers = AnswerBook(lake)
        self.renderer = Renderer(terms.decoding, show_unsure=options.show_unsure_pictures)
        self.marker = Marker(terms)
        self._predictor: ImagePredictor | None = None
        self._loading = threading.Lock()

    def start(self) -> None:
        """Start the decoding process, and load the network beside the first requests."""
        self.renderer.start()
        threading.Thread(target=self._warm_up, name="network", daemon=True).start()

    def close(self) -> None:
        """End the processes."""
        self.renderer.close()
        self.marker.close()

    @property
    def predictor(self) -> ImagePredictor:
        """What scores single images; the first to ask waits until the network is loaded."""
        with self._loading:
            if self._predictor is None:
                self._predictor = ImagePredictor(self.terms)
            return self._predictor

    def _warm_up(self) -> None:
        try:
            self.marker.warm_up()  # readers look at studies first
            self.predictor.warm_up()
        except Exception as error:  # noqa: BLE001 - whoever asks for a prediction is told
            LOG.error("the network was not loaded: %s", describe_unforeseen(error))  # noqa: TRY400


class AnswerBook:
    """The answers of nights; each object is read once, for none is ever changed."""

    def __init__(self, lake: Lake) -> None:
        """Take the lake; nothing is read yet."""
        self._lake = lake
        self._known: dict[str, FeedbackAnswer] = {}
        self._lock = threading.Lock()

    def of_night(self, night: date) -> list[FeedbackAnswer]:
        """Return all answers to the studies of a night.

        Raises:
            OutputError: if one of them cannot be read.
        """
        found = []
        for key, _ in list_answers(self._lake, [night]):
            with self._lock:
                answer = self._known.get(key)
            if answer is None:
                answer = read_answer(self._lake, key, night)
                with self._lock:
                    self._known[key] = answer
            found.append(answer)
        return found
