# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lesson 4: Overfitting
#
# A pupil who learns last year's exam by heart gets every question of last year's exam right. In this year's
# exam he fails. He has not learned the subject; he has learned the questions.
#
# Networks do the same, and they are tempted more than pupils are, as they are rewarded for nothing else:
# training *is* getting the known questions right. In this lesson we watch how it happens. We shall see that
# it depends on four things, and vary one after the other: how **complex** the model is, **how many** data
# there are, how **noisy** they are, and how **long** one trains.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np

import dualnn as dn

nn = dn.backend()  # or nn = dn.use("torch"), or nn = dn.use("tensorflow")
ORANGE, BLUE, GREEN, GREY = "#E69F00", "#0072B2", "#009E73", "#666666"
print(f"This is dualnn {dn.__version__} on {nn.name} {nn.__version__}")

# %% [markdown]
# ## 1. Five points
#
# There is a line, $y = 0.5 + x$. Somebody measures five points of it, not very exactly. We get the points,
# but not the line.

# %%
def measure(n, seed, noise=0.3):
    """Places (n, 1) and what was measured there, (n, 1)."""
    random = np.random.default_rng(seed)
    x = random.uniform(-1, 1, (n, 1))
    return x, 0.5 + x + noise * random.normal(size=(n, 1))


x, y = measure(5, seed=2)
x_new, y_new = measure(200, seed=0)

# %% [markdown]
# Two models compete. The first is a line, with 2 parameters. The second is a polynomial of degree 6, with 7
# parameters: a constant, a multiple of $x$, of $x^2$, and so on up to $x^6$. It *contains* the line (five
# of the parameters zero), so surely it cannot be worse?
#
# The powers of $x$ are not a good set to work with; $x^4$ and $x^6$ look nearly alike. We take mixtures of
# them that are as different as can be, the **Chebyshev polynomials** $T_0 = 1$, $T_1 = x$, and $T_{k+1} =
# 2x\,T_k - T_{k-1}$. On $[-1, 1]$ each swings between −1 and 1, and the sums of the first seven are exactly
# the polynomials of degree 6.

# %%
def chebyshev(x, degree):
    """The polynomials T_0 to T_degree of points (n, 1), side by side: (n, degree + 1)."""
    nn = dn.namespace(x)
    columns = [nn.ones_like(x), x]
    while len(columns) <= degree:
        columns.append(2 * x * columns[-1] - columns[-2])
    return nn.concat(columns[: degree + 1], axis=-1)


between = np.linspace(-1, 1, 201)[:, None]
fig, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
ax.plot(between, nn.to_numpy(chebyshev(nn.asarray(between), 6)))
ax.set(xlabel="x", title="$T_0$ to $T_6$")
plt.show()

# %% [markdown]
# Both models are linear in their parameters, so the best ones need no gradient descent: `nn.linalg.pinv`,
# the pseudoinverse, solves the least-squares problem. For the line this is what we did in lesson 1. The
# curve has more parameters than there are points; then many curves pass exactly through all five, and the
# pseudoinverse takes, among these, the one with the smallest parameters.

# %%
def best_parameters(x, y, degree):
    """The least-squares parameters, (degree + 1, 1); of several solutions the smallest."""
    return nn.linalg.pinv(chebyshev(nn.asarray(x), degree)) @ nn.asarray(y)


def values(parameters, x):
    """The polynomial with these parameters, at these points."""
    return nn.to_numpy(chebyshev(nn.asarray(x), parameters.shape[0] - 1) @ parameters)


line, curve = best_parameters(x, y, degree=1), best_parameters(x, y, degree=6)

print("mean squared error        five points    200 new points")
for name, parameters in [("line,  2 parameters", line), ("curve, 7 parameters", curve)]:
    known, new = (np.mean((values(parameters, at) - to) ** 2) for at, to in [(x, y), (x_new, y_new)])
    print(f"{name:24s}  {known:10.4f}    {new:14.4f}")

# %%
fig, ax = plt.subplots(figsize=(6.8, 4.2), layout="constrained")
ax.scatter(x_new, y_new, s=10, color=GREY, alpha=0.35, label="200 new points")
ax.plot(between, values(line, between), color=BLUE, linewidth=2, label="line, 2 parameters")
ax.plot(between, values(curve, between), color=ORANGE, linewidth=2, label="curve, 7 parameters")
ax.plot(x, y, "o", color="black", markersize=8, label="the five points")
ax.set(xlabel="x", ylabel="y", ylim=(-2.2, 3.2))
ax.legend(frameon=False, loc="upper left")
plt.show()

# %% [markdown]
# The curve hits all five points; its error there is zero. The line misses every one. And the line is by far
# the better model, as the new points show: where no point holds it, the curve swings wherever it likes.
#
# The error on the data that one has trained on is called the **training error**. The error on data that
# were set aside is the **validation error**. The whole lesson is about these two, and in one sentence: *the
# training error says how well the model remembers, the validation error how well it has understood.*
#
# ### And by training?
#
# Is this a trick of the closed formula? We put the polynomials into a layer of our own, as in lesson 3, and
# `fit` the seven parameters by plain gradient descent that starts from zero. (The constant $T_0$ is the
# bias of the dense layer.)

# %%
class Chebyshev(dn.Layer):
    """The polynomials T_1 to T_degree of the input."""

    def __init__(self, degree, **kwargs):
        super().__init__(**kwargs)
        self.degree = degree

    def call(self, x):
        """Compute the output."""
        return chebyshev(x, self.degree)[:, 1:]


def polynomial(degree, optimizer):
    """A trainable polynomial that starts from zero."""
    model = dn.Sequential([Chebyshev(degree), dn.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(optimizer=optimizer, loss="mse")
    return model


model = polynomial(6, dn.optimizers.SGD(0.4))
snapshots, new_errors = {}, []
for first, last in [(0, 3), (3, 30), (30, 500)]:
    history = model.fit(
        x, y, initial_epoch=first, epochs=last, batch_size=5, validation_data=(x_new, y_new), seed=0
    )
    new_errors += history.history["val_loss"]
    snapshots[last] = model.predict(between)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
left.plot(between, values(curve, between), color=ORANGE, linewidth=6, alpha=0.35, label="closed formula")
for (step, drawn), strength in zip(snapshots.items(), [0.35, 0.65, 1.0], strict=True):
    left.plot(between, drawn, color=BLUE, alpha=strength, label=f"after {step} steps")
left.plot(x, y, "o", color="black", markersize=7)
left.set(xlabel="x", ylabel="y", ylim=(-2.2, 3.2))
left.legend(frameon=False, loc="upper left")

right.plot(range(1, 501), new_errors, color=BLUE)
best = int(np.argmin(new_errors))
right.plot(best + 1, new_errors[best], "o", color=BLUE)
right.annotate(f"best: step {best + 1}", (best + 1, new_errors[best]), (best + 3, 0.6 * new_errors[best]))
right.set(xlabel="step", ylabel="error on the new points", xscale="log", ylim=(0, None))
plt.show()

# %% [markdown]
# No trick: gradient descent from zero goes to the same curve. But see how it gets there. After three steps
# the curve is smooth and quite good. Only then does it begin to bend itself through the points, and the
# error on the new points, which had fallen, rises for the rest of the training. Keep this picture in mind;
# we come back to it in section 5.
#
# ## 2. Complexity
#
# How many parameters are right, then? Two was right because the truth was a line. Let the truth now be a
# wave, $\sin 3x$, and let us have twenty points of it.

# %%
def wave(n, seed, noise=0.3):
    """Places (n, 1) and values (n, 1) of a wave with noise."""
    random = np.random.default_rng(seed)
    x = random.uniform(-1, 1, (n, 1))
    y = np.sin(3 * x) + noise * random.normal(size=(n, 1))
    return x.astype("float32"), y.astype("float32")


x, y = wave(20, seed=2)
held_out = wave(500, seed=1)

fig, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained", sharey=True)
for ax, degree in zip(axes, [1, 3, 12], strict=True):
    ax.plot(x, y, "o", color="black", markersize=5)
    ax.plot(between, np.sin(3 * between), "--", color=ORANGE, label="the truth")
    fitted = best_parameters(x.astype("float64"), y.astype("float64"), degree)
    ax.plot(between, values(fitted, between), color=BLUE)
    ax.set(title=f"degree {degree}", xlabel="x", ylim=(-2.2, 2.2))
axes[0].legend(frameon=False)
plt.show()

# %% [markdown]
# On the left the model is too simple: it cannot bend as the truth does, and is wrong even on its own
# points. That is **underfitting**. On the right it is too complex, and follows every accident of the noise.
# That is **overfitting**. In the middle it is about right.
#
# In reality nobody draws the truth for us. But we can always set data aside and measure.
# `dn.diagnostics.validation_curve` trains one model for each value of a setting, and measures both errors.

# %%
complexity = dn.diagnostics.validation_curve(
    lambda degree: polynomial(degree, dn.optimizers.Adam(0.05)),
    [1, 2, 3, 4, 6, 8, 10, 12],
    x,
    y,
    name="degree of the polynomial",
    validation_data=held_out,
    epochs=300,
    batch_size=20,
)
dn.plots.validation_curve(complexity)

# %% [markdown]
# This is the most important picture of the lesson. The training error only falls: more parameters can
# always do what fewer could. The validation error falls, and then rises again. To the left of its lowest
# point the model underfits, to the right it overfits. If you had only the training error, you would choose
# one of the worst, and be proud of it.
#
# ### Bias and variance
#
# Why does the error rise? Imagine that the measurement is repeated many times, each time with new noise,
# and a model is fitted each time. We can do that: 300 times, always at the same 15 places.

# %%
places = np.linspace(-1, 1, 15)[:, None]
truth = np.sin(3 * places)
repeated = truth + 0.3 * np.random.default_rng(0).normal(size=(15, 300))  # a column for each repetition
degrees = [1, 3, 5, 7, 9, 11]
fits = {degree: best_parameters(places, repeated, degree) for degree in degrees}

fig, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained", sharey=True)
for ax, degree in zip(axes, [1, 3, 11], strict=True):
    drawn = values(fits[degree], between)
    ax.plot(between, drawn[:, :30], color=BLUE, linewidth=0.6, alpha=0.5)
    ax.plot(between, drawn.mean(axis=1), color="black", linewidth=2, label="mean of all 300")
    ax.plot(between, np.sin(3 * between), "--", color=ORANGE, linewidth=2, label="the truth")
    ax.set(title=f"degree {degree}: 30 of 300 fits", xlabel="x", ylim=(-2.2, 2.2))
axes[0].legend(frameon=False, loc="upper left")
plt.show()

# %% [markdown]
# The lines on the left agree with each other, and are wrong together: their mean is far from the truth.
# This distance is the **bias**. The curves on the right are right in the mean, but each single one is wrong
# in its own way. Their scatter is the **variance**. We only ever get one of them, so both count, and the
# mean squared error for new measurements is exactly
#
# $$ \text{error} = \text{bias}^2 + \text{variance} + \text{noise}. $$

# %%
bias2, variance = [], []
for degree in degrees:
    drawn = values(fits[degree], between)  # (201, 300)
    bias2.append(np.mean((drawn.mean(axis=1) - np.sin(3 * between)[:, 0]) ** 2))
    variance.append(np.mean(drawn.var(axis=1)))

fig, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
bars = [str(degree) for degree in degrees]
ax.bar(bars, 0.09, color="#bbbbbb", label="noise")
ax.bar(bars, bias2, bottom=0.09, color=BLUE, label="bias²")
ax.bar(bars, variance, bottom=0.09 + np.array(bias2), color=ORANGE, label="variance")
ax.set(xlabel="degree of the polynomial", ylabel="expected squared error")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# With the degree the bias goes and the variance comes. The noise stays: $0.3^2 = 0.09$ is what no model can
# get rid of. For a model without a closed formula, `dn.diagnostics.bias_variance` measures the same by
# training it again and again.
#
# ## 3. The number of samples
#
# If the curve swings because no points hold it, more points should help. `dn.diagnostics.learning_curve`
# trains on more and more of the data. We let it do so with a polynomial of degree 6, and with one of degree
# 1, which is too simple for the wave.

# %%
x, y = wave(128, seed=3)
curves = {
    degree: dn.diagnostics.learning_curve(
        lambda degree=degree: polynomial(degree, dn.optimizers.Adam(0.05)),
        x,
        y,
        sizes=[8, 16, 32, 64, 128],
        repeats=2,
        validation_data=held_out,
        epochs=150,
        batch_size=32,
    )
    for degree in [6, 1]
}
figure = dn.plots.learning_curve(curves[6])
figure.axes[0].set_ylim(0, 0.6)
figure

# %% [markdown]
# With 8 points the 7-parameter curve overfits badly: a small training error, a large validation error. As
# the points become more, the two errors move towards each other. The training error *rises*, since more
# points are harder to please; the validation error falls, since more points are harder to fool. Both end
# near the noise, 0.09. And now the line:

# %%
figure = dn.plots.learning_curve(curves[1])
figure.axes[0].set_ylim(0, 0.6)
figure

# %% [markdown]
# Here the curves meet as well, and early, but at a bad value. More data do not help a model that is too
# simple.
#
# So a learning curve tells you what to do. **A gap between the curves: get more data, or a simpler model.
# No gap, but a bad value: take a more complex model.**
#
# ## 4. The noise
#
# Back to the line as the truth, and to our first two models, with ten points. This time we turn up the
# noise. For each strength we measure 500 times and take the mean of the errors.

# %%
places = np.linspace(-1, 1, 10)[:, None]
strengths = np.linspace(0, 1, 11)
random = np.random.default_rng(0)
errors = {(degree, kind): [] for degree in (1, 6) for kind in ("training", "validation")}
for strength in strengths:
    measured, again = (0.5 + places + strength * random.normal(size=(10, 500)) for _ in range(2))
    for degree in (1, 6):
        fitted = values(best_parameters(places, measured, degree), places)
        errors[degree, "training"].append(np.mean((fitted - measured) ** 2))
        errors[degree, "validation"].append(np.mean((fitted - again) ** 2))

fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
for (degree, kind), error in errors.items():
    name = f"{'line' if degree == 1 else 'curve'}, {degree + 1} parameters"
    style = "--" if kind == "training" else "-"
    ax.plot(strengths, error, style, color=BLUE if degree == 1 else ORANGE, label=f"{name}: {kind}")
ax.plot(strengths, strengths**2, color=GREY, linewidth=0.8, label="the noise itself")
ax.set(xlabel="strength of the noise", ylabel="mean squared error")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# Without noise both models are perfect: there is nothing wrong to be learned. The stronger the noise, the
# wider the gap, and for the curve it opens more than three times as fast. This can be calculated: with $n$
# points and $p$ parameters the training error is $\sigma^2 (1 - p/n)$ and the error on new measurements at
# the same places $\sigma^2 (1 + p/n)$. Every parameter swallows its share of the noise, and hands it out
# again with the wrong sign.

# %%
for degree in (1, 6):
    p, n = degree + 1, 10
    found = errors[degree, "training"][-1], errors[degree, "validation"][-1]
    calculated = f"calculated {1 - p / n:.1f} and {1 + p / n:.1f}"
    print(f"{p} parameters: {found[0]:.3f} and {found[1]:.3f}; {calculated}")

# %% [markdown]
# ## 5. The epochs, and the moment to stop
#
# The fourth cause is patience. We have seen it in section 1: the error on new points first fell and then
# rose, while the training went on. With networks it is no different. Here is the large network of lesson 2,
# and forty noisy points of the two moons; the validation data are 500 other points.

# %%
def moons(n, noise, seed):
    """Points (n, 2) of two half moons, and which of the two each is on, (n, 1)."""
    random = np.random.default_rng(seed)
    angle = random.uniform(0, np.pi, n)
    label = np.arange(n)[:, None] % 2
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    points = np.where(label == 0, upper, lower) + random.normal(0, noise, (n, 2))
    return points.astype("float32"), label


x, y = moons(40, noise=0.3, seed=7)
validation = moons(500, noise=0.3, seed=4)
test = moons(2000, noise=0.3, seed=5)


def network():
    """Two wide hidden layers, for the two moons."""
    model = dn.Sequential([
        dn.layers.Dense(64, activation="relu"),
        dn.layers.Dense(64, activation="relu"),
        dn.layers.Dense(1),
    ])
    model.compile(
        optimizer=dn.optimizers.Adam(0.01),
        loss=dn.losses.BinaryCrossentropy(from_logits=True),
        metrics=[dn.metrics.BinaryAccuracy(threshold=0.0)],
    )
    return model


patient = network()
history = patient.fit(x, y, epochs=200, batch_size=40, validation_data=validation, seed=0)
dn.plots.overfitting(history)

# %% [markdown]
# The two curves go down together, then part. At the lowest point of the validation curve the network has
# learned what there was to be learned; from there on it learns the forty points by heart.
# `dn.diagnostics.overfitting` says the same in words, and can be asked in a program:

# %%
verdict = dn.diagnostics.overfitting(history)
print(verdict)

# %% [markdown]
# The remedy is as simple as it can be: stop there. One does not know in advance where "there" is, but one
# can watch the validation error, wait for a while whether it gets any better (the **patience**), and then
# go back to the best weights. The callback `EarlyStopping` does so.

# %%
stop = dn.callbacks.EarlyStopping(patience=15, restore_best_weights=True)
stopped = network()
short = stopped.fit(x, y, epochs=200, batch_size=40, validation_data=validation, callbacks=[stop], seed=0)
print(f"stopped after {len(short.epoch)} epochs, back to epoch {stop.best_epoch + 1}\n")

print("                 training loss     test loss    test accuracy")
for name, model in [("200 epochs", patient), ("stopped", stopped)]:
    loss, _ = model.evaluate(x, y)
    test_loss, test_accuracy = model.evaluate(*test)
    print(f"{name:12s}     {loss:13.4f}     {test_loss:9.3f}    {test_accuracy:13.1%}")

# %% [markdown]
# The last two columns are a third set of points, the **test data**. Why not the validation data? Because we
# have used them: by them the epoch was chosen, and something that was chosen because it looks good looks a
# little better than it is. In the same way a degree, a rate of dropout or a learning rate that is chosen by
# the validation data is learned from them. What was used for no decision at all is the honest judge.
#
# The boundaries tell the same story:

# %%
dn.plots.decision_boundary(patient, x, y)

# %%
dn.plots.decision_boundary(stopped, x, y)

# %% [markdown]
# ## What to take along
#
# * **Underfitting**: training and validation error are both bad. **Overfitting**: the training error is
#   good, the validation error is not.
# * It gets worse with more parameters, with fewer data, with more noise, and with longer training.
# * What helps: more data; a simpler model; a penalty or dropout (lesson 2); stopping in time.
# * Three sets of data: **training** to learn, **validation** to choose, **test** to judge, once, at the
#   end.
#
# ### Questions to think about
#
# 1. The curve of section 1 contains the line as a special case. Why does training not find the line?
# 2. Could the validation error be smaller than the training error?
# 3. Somebody tries a hundred networks, and reports the best one's validation accuracy. What is wrong?
#
# ### Exercises
#
# 1. Repeat section 1 for other seeds of the five points. Does the curve ever win?
# 2. In section 2, use 200 points instead of 20. Where is the best degree now, and how much worse is degree
#    12?
# 3. Add an L2 penalty to the polynomial of degree 12 (`kernel_regularizer` of the dense layer), and draw a
#    validation curve over its strength. (The loss contains the penalty: compile with `metrics=["mse"]`, and
#    ask for `metric="mse"`.)
#
# <details><summary><b>Answers</b></summary>
#
# **Questions.** 1. Because the line misses the five points, and training looks at nothing else. That the
# line is the better model cannot be seen from the training error at all. 2. Yes: when the validation data
# happen to be easier, or when the training error is measured with dropout on, or as a mean over the epoch,
# while the model still improved. 3. It is the largest of a hundred numbers with some chance in each; so it
# is too good. Fresh test data will tell.
#
# **Exercise 1.** Of the seeds 1 to 399 it wins for none. Five noisy points are simply not enough to pin
# down seven parameters.
#
# **Exercise 2.** The best degree moves up a little and the curve becomes flat on the right: with 200
# points, degree 12 has hardly any room to swing. Complexity is only too high *for so many data*.
#
# **Exercise 3.** It is a U again, the other way round: no penalty overfits, a strong one forces all
# parameters to zero and underfits. The penalty is a knob for complexity that can be turned continuously.
#
# </details>
