r"""
What can one layer of linear attention learn from tasks?
========================================================

Show a model a few labelled rows of a regression task and a new row, and ask for the new
row's target: learning in context. One layer of linear self-attention, trained on many
tasks, predicts :math:`x'\Gamma s` with :math:`s = \frac1m \sum_i x_i y_i`, which is one
step of gradient descent with a learned preconditioner. How far is that from what is
possible?
"""

# %%
# Two learners
# ------------
# Rows have eight columns, of which three carry most of the variance; coefficients are
# drawn anew for every task. :func:`~sklearn_ext.tasks.one_step_preconditioner` is the
# best that the layer can learn, in closed form. The ridge of the same prior, which is
# what :class:`~sklearn_ext.tasks.TaskRidge` estimates, is optimal.

import warnings

import matplotlib.pyplot as plt
import numpy as np

from sklearn_ext.tasks import TaskRidge, in_context_risk, one_step_preconditioner

x_cov = np.diag([4.0, 2.0, 1.0, 0.3, 0.2, 0.1, 0.1, 0.1])
prior_cov, noise_var = np.eye(8) / 8, 0.25
sizes = np.array([1, 2, 4, 8, 16, 32, 64, 128])
risk = {
    learner: np.array(
        [
            in_context_risk(
                x_cov, prior_cov, noise_var, m, learner=learner, random_state=0
            )
            for m in sizes
        ]
    )
    for learner in ("one_step", "bayes")
}

# %%
# Do the formulas hold? We draw tasks, apply the step, and fit
# :class:`~sklearn_ext.tasks.TaskRidge`, which knows neither covariance, to 300 tasks
# of as many rows each and condition it on new ones.

rng = np.random.default_rng(0)


def draw(n_tasks, m):
    """Return contexts of m rows, coefficients and targets of n tasks."""
    X = rng.normal(size=(n_tasks, m, 8)) * np.sqrt(np.diag(x_cov))
    w = rng.normal(size=(n_tasks, 8)) / np.sqrt(8)
    y = np.einsum("gmj,gj->gm", X, w)
    return X, w, y + np.sqrt(noise_var) * rng.normal(size=y.shape)


def excess(coef, w):
    """Return the mean squared difference of predictions for new rows."""
    return np.einsum("gj,j,gj->g", coef - w, np.diag(x_cov), coef - w).mean()


# two rows for eight coefficients: fits say that no noise is left for intervals
warnings.filterwarnings("ignore", message=".* no noise is left")
step_found, ridge_found = [], []
for m in sizes:
    X, w, y = draw(4000, m)
    step = one_step_preconditioner(x_cov, prior_cov, noise_var, m)
    step_found.append(excess(np.einsum("gmj,gm->gj", X, y) / m @ step.T, w))
    A, _, a = draw(300, max(m, 2))
    groups = np.repeat(np.arange(300), A.shape[1])
    model = TaskRidge("diag").fit(A.reshape(-1, 8), a.ravel(), groups=groups)
    X, w, y = X[:500], w[:500], y[:500]
    new = np.repeat(np.arange(1000, 1500), m)
    informed = model.condition(X.reshape(-1, 8), y.ravel(), groups=new)
    ridge_found.append(excess(informed.task_coef_[300:], w))

fig, ax = plt.subplots(layout="constrained")
ax.plot(sizes, risk["one_step"], "C1-", label="one step, formula")
ax.plot(sizes, step_found, "C1s", label="one step, drawn tasks")
ax.plot(sizes, risk["bayes"], "C0-", label="Bayes ridge, formula")
ax.plot(sizes, ridge_found, "C0o", mfc="none", label="TaskRidge, fitted")
ax.axhline(np.trace(x_cov @ prior_cov), ls=":", color="0.4", label="no context")
ax.set(xscale="log", yscale="log", xlabel="labelled rows of a task")
ax.set_ylabel("excess squared error")
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend()

print("rows   one step   Bayes ridge   ratio")
for m, one, bayes in zip(sizes, risk["one_step"], risk["bayes"], strict=True):
    print(f"{m:4d} {one:10.3f} {bayes:13.3f} {one / bayes:7.1f}")

# %%
# With one or two rows the two hardly differ: little can be known. Then the ridge falls
# like the noise over the rows, and the step lags behind: it inverts the covariance of
# the *population's* rows, not of those in the context, and the signal of the other
# columns acts on it like noise that only more rows average out. That is what one layer
# cannot learn, and why the family offers the step as theory and the ridge as the
# estimator.

plt.show()
