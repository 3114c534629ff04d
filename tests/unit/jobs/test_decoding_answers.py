from jobs.decoding_answers import HeldAnswers, Job


def answered(number: int, size: int) -> Job:
    job = Job(number, b"", frame_bytes=size)
    job.answer.set_result([])
    return job


def test_no_further_object_is_begun_while_answers_fill_the_limit() -> None:
    held = HeldAnswers(100)
    first, second = answered(1, 60), answered(2, 60)
    held.hold(first)
    assert held.has_room()
    held.hold(second)
    assert not held.has_room()
    held.release(first)
    assert held.has_room()


def test_an_answer_that_nobody_wants_any_more_is_not_counted() -> None:
    held = HeldAnswers(10)
    job = Job(1, b"", frame_bytes=60)
    held.release(job)  # its reader has gone before it was decoded
    job.answer.set_result([])
    held.hold(job)
    assert held.has_room()


def test_an_answer_is_given_back_only_once() -> None:
    held = HeldAnswers(10)
    first, second = answered(1, 20), answered(2, 20)
    held.hold(first)
    held.hold(second)
    held.release(first)
    held.release(first)
    assert not held.has_room()


def test_waiting_for_room_ends_after_its_time() -> None:
    held = HeldAnswers(10)
    held.hold(answered(1, 20))
    held.wait_for_room(0.01)
    assert not held.has_room()
