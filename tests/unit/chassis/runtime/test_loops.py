"""Whether the loops of a process still make steps."""

from threading import Event, Thread

from chassis.runtime.loops import DEAD_AFTER_SECONDS, Loops


def test_a_loop_without_steps_is_dead() -> None:
    clock = [0.0]
    loops = Loops(lambda: clock[0])
    working, hanging = loops.add("working"), loops.add("hanging")
    clock[0] = DEAD_AFTER_SECONDS
    working()
    assert loops.dead() == []
    clock[0] += 1
    assert loops.dead() == ["hanging"]
    hanging()
    assert loops.dead() == []


def test_a_watched_thread_is_dead_when_it_has_ended() -> None:
    loops, end = Loops(), Event()
    thread = Thread(target=end.wait, name="publishing")
    loops.watch(thread)
    assert loops.dead() == []  # it was not started yet
    thread.start()
    assert loops.dead() == []
    end.set()
    thread.join()
    assert loops.dead() == ["publishing"]
