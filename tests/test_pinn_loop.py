"""run: the loop of a fit as one can see it; stages and ends of one's own."""

from itertools import pairwise

import pytest
import torch

from companion.pinn import (
    LBFGS,
    MLP,
    Adam,
    Batches,
    LevenbergMarquardt,
    Problem,
    batch_of,
    fit,
    residuals,
    run,
    sampled,
)
from companion.pinn.loop import first_state, started
from companion.pinn.stages import At
from companion.problems import oscillator
from tests.fits import LINE, Constant, bits, train

SOFT = oscillator(hard=False)
BATCHES = sampled(SOFT.domain, 16)
ALL = [Adam(5), LBFGS(4, inner=3), LevenbergMarquardt(3)]


def network(seed=0):
    return MLP(SOFT.domain, (8,), seed=seed)


def test_the_loop_by_itself_is_the_fit_to_the_bit():
    net = network()
    for _ in run(SOFT, net, ALL, BATCHES):
        pass
    assert torch.equal(bits(net), bits(train(ALL, SOFT, network())[0]))


def test_an_event_is_a_step_with_what_was_before_it_and_after():
    net, seen = network(), []
    before = bits(net)
    for event in run(SOFT, net, ALL, BATCHES):
        seen.append(event)
        losses = event.objective.losses(event.before.theta, event.before.weighted())
        for term, loss in losses.items():
            assert event.losses[term].tolist() == pytest.approx([loss.item()], rel=1e-9)
    assert [e.step for e in seen] == list(range(1, 13))
    assert [type(e.stage).__name__ for e in seen] == ["Adam"] * 5 + ["LBFGS"] * 4 + [
        "LevenbergMarquardt"
    ] * 3
    assert [e.step for e in seen if e.last] == [5, 9, 12]
    assert torch.equal(seen[0].before.theta, before)
    for one, two in pairwise(seen):
        assert torch.equal(one.state.theta, two.before.theta)
    assert not torch.equal(seen[0].state.theta, seen[-1].state.theta)  # a state is never changed


def test_a_stop_ends_it_and_next_stage_goes_on():
    seen = []
    for event in run(SOFT, network(), [Adam(50), LBFGS(50)], BATCHES):
        seen.append((type(event.stage).__name__, event.step))
        if event.step == 3:
            event.next_stage()
        if event.step == 5:
            event.stop("enough")
    assert seen == [("Adam", 1), ("Adam", 2), ("Adam", 3), ("LBFGS", 4), ("LBFGS", 5)]
    assert event.stopped == "enough" and event.state.made == 2


def leave(events, how):
    """Stop looking at the events at the third."""
    for event in events:
        if event.step == 3:
            if how == "stop":
                event.stop("enough")
            elif how == "break":
                break
            elif how == "raise":
                raise LookupError
            elif how == "ctrl c":
                raise KeyboardInterrupt
    events.close()


@pytest.mark.parametrize(
    "stages", [[stage] for stage in (Adam(9), LBFGS(9), LevenbergMarquardt(9))]
)
@pytest.mark.parametrize("how", ["stop", "break", "raise", "ctrl c"])
def test_however_it_ends_the_network_has_the_parameters_of_the_last_event(how, stages):
    net, expected = network(), None
    for event in run(SOFT, network(), stages, BATCHES):
        if event.step == 3:
            expected = event.state.theta
            break
    events = run(SOFT, net, stages, BATCHES)
    if how in ("raise", "ctrl c"):
        with pytest.raises(LookupError if how == "raise" else KeyboardInterrupt):
            leave(events, how)
        events.close()
    else:
        leave(events, how)
    assert torch.equal(bits(net), expected)


def test_an_error_in_a_callback_of_fit_leaves_the_last_parameters_and_the_handler_of_ctrl_c():
    import signal

    net, handler, seen = network(), signal.getsignal(signal.SIGINT), []

    def fail(event):
        seen.append(event.state.theta)
        if event.step == 4:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        train([Adam(9)], SOFT, net, callbacks=[fail])
    assert torch.equal(bits(net), seen[-1])
    assert signal.getsignal(signal.SIGINT) is handler


def test_it_goes_on_from_a_state():
    whole, net = network(), network(seed=7)
    middle = [event.state for event in run(SOFT, whole, ALL, BATCHES)][5]
    *_, event = run(SOFT, net, ALL, BATCHES, state=middle)
    assert event.step == 12 and torch.equal(bits(net), bits(whole))


def test_the_solution_of_an_event_is_a_function():
    x = SOFT.domain.points(7)
    for event in run(SOFT, network(), [Adam(3)], BATCHES):
        u = event.solution
        assert u(x).shape == (7, 1) and torch.equal(bits(u.network), event.state.theta)


# --- a stage of one's own ----------------------------------------------------------------------


class Descent:
    """Plain gradient descent: all that a stage needs."""

    def __init__(self, steps, rate):
        self.steps, self.rate = steps, rate

    def init(self, objective, theta, batch):
        return None

    def step(self, objective, at, batch, room):
        losses, slope = objective.gradient(at.theta, batch)
        theta = at.theta - self.rate * slope
        return At(theta, (), at.made + 1), {t: loss[None] for t, loss in losses.items()}


def test_a_stage_of_ones_own_is_a_few_lines_and_does_what_it_says(tmp_path):
    """mean (a − 1)² by gradient descent: a = 1 − (1 − 2 rate)ᵏ."""
    problem = Problem(LINE, lambda u, t: u() - 1.0)
    net, solution = train([Descent(7, 0.1)], problem, Constant(), checkpoint=tmp_path / "fit.pt")
    assert net.a.item() == pytest.approx(1 - 0.8**7)
    assert solution.history.column("stage") == ["Descent"]
    net, _ = train(
        [Descent(7, 0.1), Descent(3, 0.1)], problem, Constant(), checkpoint=tmp_path / "fit.pt"
    )
    assert net.a.item() == pytest.approx(1 - 0.8**10)


def test_between_two_steps_the_points_and_weights_are_those_that_were_told():
    """A source in one line; and what a stage of its own sees of it."""
    seen = []

    class Looking(Descent):
        def step(self, objective, at, batch, room):
            seen.append((room, batch["equation"].x[0, 0].item()))
            return super().step(objective, at, batch, room)

    source = Batches(lambda number, squares: torch.full((4, 1), number / 10.0), every=3)
    fit(Problem(LINE, lambda u, t: u() - 1), MLP(LINE, (3,)), [Looking(7, 0.1)], points=source,
        progress=False)  # fmt: skip
    assert [round(10 * x) for _, x in seen] == [0, 0, 0, 1, 1, 1, 2]
    assert [room for room, _ in seen] == [3, 2, 1, 3, 2, 1, 1]


@pytest.mark.parametrize(
    ("stages", "error", "message"),
    [
        ([], ValueError, "fit needs a stage"),
        (Adam(1), TypeError, "stages come as a list"),
        ([Adam], TypeError, "a stage is Adam"),
        ([object()], TypeError, "a stage is Adam"),
    ],
)
def test_what_cannot_work_is_refused_when_the_loop_is_made(stages, error, message):
    with pytest.raises(error, match=message):
        run(SOFT, network(), stages, BATCHES)


def test_a_state_holds_all_that_there_is():
    """The step of a state follows from it alone: twice the same, whatever happened between."""
    objective = started(SOFT, network(), [Adam(3)])
    state = first_state(objective, BATCHES)
    assert torch.equal(state.theta, bits(network())) and state.step == state.made == 0
    once = [e.state.theta for e in run(SOFT, network(3), [Adam(3)], BATCHES, state=state)]
    again = [e.state.theta for e in run(SOFT, network(4), [Adam(3)], BATCHES, state=state)]
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


def test_residuals_of_the_state_are_those_of_the_problem():
    *_, event = run(SOFT, network(), [Adam(2)], BATCHES)
    found = residuals(SOFT, {"u": event.solution}, batch_of(SOFT, event.state.batch["equation"].x))
    own = event.objective.rows(event.state.theta, event.state.batch)
    for term in own:
        assert torch.allclose(found[term][0], own[term][0], rtol=1e-12)
