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
# # Lesson 1: Tensors, variables, gradients
#
# A neural network learns by a simple plan. It makes a guess, measures how wrong the guess is, finds out in
# which direction each of its numbers would have to move to be a little less wrong, and moves them. Then it
# does that again, a few thousand times.
#
# In this lesson we carry out that plan by hand. We need three things: **tensors**, which are the numbers;
# **variables**, which are the numbers that may change; and **gradients**, which say in which direction.
# With these three we fit a line to points, and draw a border between two clouds of points. There are no
# layers yet and no `fit`; they come in lesson 2, and after this lesson you will know what they do.
#
# Everything here runs on PyTorch and on TensorFlow alike. Which of the two does the work is said in one
# line:

# %%
import matplotlib.pyplot as plt
import numpy as np

import dualnn as dn

nn = dn.backend()  # or nn = dn.use("torch"), or nn = dn.use("tensorflow")
print(f"This is dualnn {dn.__version__} on {nn.name} {nn.__version__}")

# %% [markdown]
# ## 1. Tensors
#
# A **tensor** is an array of numbers: a single number (its shape is `()`), a row of numbers (shape `(3,)`),
# a table (shape `(2, 3)`), a stack of tables, and so on. If you know NumPy's arrays, you know tensors; the
# difference is that a tensor may live on a graphics card, and that the framework can differentiate what you
# compute with it.

# %%
table = nn.asarray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
print("type: ", type(table))
print("shape:", tuple(table.shape))
print("dtype:", nn.dtype_name(table.dtype))

# %% [markdown]
# `nn` is a **namespace**: the place where the functions are. Arithmetic is done element by element, `@` is
# the matrix product, and functions such as `nn.mean` take the axis along which they work. The names are
# those of the Python array API standard, which NumPy shares.

# %%
column = nn.asarray([[1.0], [0.0], [-1.0]])
print("doubled:      ", nn.to_numpy(2 * table).tolist())
print("product:      ", nn.to_numpy(table @ column).tolist())
print("mean:         ", nn.to_numpy(nn.mean(table)))
print("column means: ", nn.to_numpy(nn.mean(table, axis=0)).tolist())

# %% [markdown]
# `nn.to_numpy` is the way back: it gives a NumPy array, which matplotlib can draw.
#
# One thing to watch: the **dtype**. `float32`, with about seven decimal digits, is what networks usually
# compute in; NumPy makes `float64` unless it is told otherwise. In these lessons we say
# `.astype("float32")` when data is made.
#
# ## 2. Variables
#
# A **variable** holds a tensor that may be replaced, in place, by another of the same shape. What a network
# has learned is what is in its variables.

# %%
w = nn.Variable(nn.asarray([1.0, 2.0]))
nn.assign(w, [5.0, 7.0])
nn.assign_sub(w, [1.0, 1.0])  # w -= 1
print(nn.to_numpy(w))

# %% [markdown]
# ## 3. Gradients
#
# The derivative $f'(x)$ says how fast $f$ grows when $x$ grows. If $f$ depends on many numbers, there is
# one such derivative for each of them, and together they are the **gradient**. It points to where $f$ grows
# fastest; so against the gradient $f$ falls fastest, and that is where a network wants to go with its
# error.
#
# Nobody has to differentiate by hand. Every function we can write is made of small steps (a product, a sum,
# a sine) whose derivatives are known, and the chain rule joins them. A **gradient tape** writes the steps
# down while they are computed, and then goes through its notes backwards. This is called **automatic
# differentiation**.
#
# Let us take $f(x) = x \sin x$. The product rule gives $f'(x) = \sin x + x \cos x$; the tape should find
# the same.

# %%
x = nn.Variable(nn.asarray(1.0))
with nn.GradientTape() as tape:
    f = x * nn.sin(x)
slope = float(nn.to_numpy(tape.gradient(f, x)))

print("by the tape:  ", slope)
print("by hand:      ", np.sin(1.0) + 1.0 * np.cos(1.0))

# %% [markdown]
# A derivative is the slope of the tangent, so we can check it with our eyes. The line below passes through
# the point with the slope that the tape found.

# %%
ORANGE, BLUE, GREEN, GREY = "#E69F00", "#0072B2", "#009E73", "#666666"

points = np.linspace(-1, 5, 200)
near = np.array([0.0, 2.0])
height = float(nn.to_numpy(f))

fig, ax = plt.subplots(figsize=(6, 3.4))
ax.plot(points, points * np.sin(points), color=BLUE, label=r"$f(x) = x\,\sin x$")
ax.plot(near, height + slope * (near - 1.0), color=ORANGE, label=f"tangent, slope {slope:.3f}")
ax.plot(1.0, height, "o", color=ORANGE)
ax.set_xlabel("x")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# With several variables the tape gives one gradient for each, of the same shape as the variable. What was
# computed before the `with` began is not on the tape, and counts as a constant.
#
# ## 4. A line through points
#
# Now to learning. Here are sixty points. They were made from a line with slope 2 and intercept −1, and then
# shaken up and down by noise. We pretend that we do not know the line, and want to find it from the points.

# %%
random = np.random.default_rng(0)
x_data = random.uniform(-1, 1, (60, 1)).astype("float32")
noise = random.normal(0, 0.4, (60, 1))
y_data = (2 * x_data - 1 + noise).astype("float32")

x, y = nn.asarray(x_data), nn.asarray(y_data)

# %% [markdown]
# The **model** is a line, $\hat y = w x + b$, with two **parameters**: the slope $w$ and the intercept $b$.
# Before it has seen anything, it is the line $\hat y = 0$.
#
# The **loss** says how wrong the model is. We take the mean of the squared errors,
#
# $$ L(w, b) = \frac{1}{n} \sum_{i=1}^{n} (w x_i + b - y_i)^2 . $$
#
# Squares make all errors count as positive, and large errors count for more than small ones.
#
# **Gradient descent** is the plan from the beginning, in four lines: compute the loss on a tape, ask for
# the gradient, go a small step against it, repeat. How small a step is, the **learning rate** says.

# %%
w, b = nn.Variable(nn.zeros((1, 1))), nn.Variable(nn.zeros((1,)))


def loss_of_line(x, y):
    """The mean squared error of the line on these points."""
    return nn.mean((x @ w + b - y) ** 2)


learning_rate = 0.1
losses, path = [], []
for _ in range(100):
    path.append((float(nn.to_numpy(w)[0, 0]), float(nn.to_numpy(b)[0])))
    with nn.GradientTape() as tape:
        loss = loss_of_line(x, y)
    gradient_w, gradient_b = tape.gradient(loss, [w, b])
    nn.assign_sub(w, learning_rate * gradient_w)
    nn.assign_sub(b, learning_rate * gradient_b)
    losses.append(float(nn.to_numpy(loss)))

slope, intercept = float(nn.to_numpy(w)[0, 0]), float(nn.to_numpy(b)[0])
print(f"found:  y = {slope:.3f} x {intercept:+.3f}")
print("truth:  y = 2.000 x -1.000")

# %% [markdown]
# The left picture has the points, and the line after 0, 5, 20 and 100 steps. The right one has the loss: it
# falls fast at first, then slowly, and it does not reach zero. It cannot, because no line passes through
# all the points; what remains is the noise, whose mean square is about $0.4^2 = 0.16$.

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")

left.scatter(x_data, y_data, s=18, color=GREY, alpha=0.6, label="points")
ends = np.array([-1.0, 1.0])
for step, strength in [(0, 0.25), (5, 0.45), (20, 0.7)]:
    slope_then, intercept_then = path[step]
    left.plot(ends, slope_then * ends + intercept_then, color=BLUE, alpha=strength)
    left.text(-1.03, intercept_then - slope_then, f"step {step}", color=BLUE, ha="right", va="center")
left.plot(ends, slope * ends + intercept, color=BLUE, linewidth=2.5)
left.text(-1.03, intercept - slope, "step 100", color=BLUE, ha="right", va="center")
left.plot(ends, 2 * ends - 1, "--", color=ORANGE, label="the true line")
left.set_xlim(-1.5, 1.1)
left.set_xlabel("x")
left.set_ylabel("y")
left.legend(frameon=False, loc="lower right")

right.plot(losses, color=BLUE)
right.axhline(0.4**2, color=GREY, linestyle=":", label="mean square of the noise")
right.set_ylim(bottom=0)
right.set_xlabel("step")
right.set_ylabel("loss")
right.legend(frameon=False)
plt.show()

# %% [markdown]
# The line that was found is close to the true one, but not equal to it. With other sixty points from the
# same true line we would have found a slightly different one. But is it at least the *best* line for these
# points? For a line we can say so: minimising a sum of squares leads to a system of linear equations, which
# has an exact solution.

# %%
X = nn.concat([x, nn.ones_like(x)], axis=1)  # one column for the slope, one for the intercept
Xt = nn.matrix_transpose(X)
best = nn.to_numpy(nn.linalg.solve(Xt @ X, Xt @ y))[:, 0]
print("exact least squares:   ", best)
print("gradient descent found:", np.array([slope, intercept], dtype="float32"))

# %% [markdown]
# So why do we not always solve equations? Because the model has only to become a little less simple, and
# there is no formula any more. Gradient descent does not care.
#
# ### The landscape
#
# The loss is a function of two numbers, $w$ and $b$, so we can draw it like a map: each point is one line,
# and the colour says how wrong this line is. Gradient descent walks down into the valley, at every point at
# a right angle to the line of equal height.

# %%
W, B = np.meshgrid(np.linspace(-1, 4, 80), np.linspace(-2.5, 1, 80))
errors = W[..., None] * x_data[:, 0] + B[..., None] - y_data[:, 0]
landscape = (errors**2).mean(axis=-1)

fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
map_ = ax.contourf(W, B, landscape, levels=20, cmap="Blues")
fig.colorbar(map_, label="loss")
ax.plot(*zip(*path, strict=True), "o-", color=ORANGE, markersize=3, linewidth=1, label="gradient descent")
ax.plot(2, -1, "*", color="white", markeredgecolor="black", markersize=14, label="the true line")
ax.set(xlabel="slope w", ylabel="intercept b", aspect="equal")
ax.legend(loc="upper right")
plt.show()

# %% [markdown]
# The steps become shorter on the way although the learning rate stays the same: the valley becomes flat,
# and the step is the learning rate *times the gradient*.
#
# ### The learning rate
#
# Too small, and it takes for ever. Too large, and a step overshoots the valley and lands higher on the
# other side, then higher still on this side. We try three rates; mind that the axis of the loss is
# logarithmic.

# %%
def descend(learning_rate, steps=60):
    """Fit the line from zero, and return the loss at every step."""
    nn.assign(w, nn.zeros_like(w))
    nn.assign(b, nn.zeros_like(b))
    losses = []
    for _ in range(steps):
        with nn.GradientTape() as tape:
            loss = loss_of_line(x, y)
        gradients = tape.gradient(loss, [w, b])
        for variable, gradient in zip([w, b], gradients, strict=True):
            nn.assign_sub(variable, learning_rate * gradient)
        losses.append(float(nn.to_numpy(loss)))
    return losses


descents = {rate: descend(rate) for rate in (0.005, 0.3, 1.05)}

fig, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
for rate, colour, what in [(0.005, GREY, "too small"), (0.3, GREEN, "good"), (1.05, ORANGE, "too large")]:
    ax.plot(descents[rate], color=colour, label=f"learning rate {rate}: {what}")
ax.set_yscale("log")
ax.set_xlabel("step")
ax.set_ylabel("loss (logarithmic)")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# There is no rate that is right for all problems. A good first test is to look at such curves.
#
# ## 5. Two classes
#
# Often the question is not *how much*, but *which*: is this mail spam or not, is this cell ill or healthy?
# Here are two clouds of points in the plane, class 0 and class 1, and they overlap a little.

# %%
random = np.random.default_rng(1)
cloud_0 = random.normal((-1.0, -0.6), 0.9, (150, 2))
cloud_1 = random.normal((1.0, 0.8), 0.9, (150, 2))
points_2d = np.concatenate([cloud_0, cloud_1]).astype("float32")
labels = np.repeat([0.0, 1.0], 150).astype("float32")[:, None]

x, y = nn.asarray(points_2d), nn.asarray(labels)
print("points:", tuple(x.shape), "  labels:", tuple(y.shape))

# %% [markdown]
# A **single layer** is nearly our line again: $z = x_1 w_1 + x_2 w_2 + b$, or $z = x\,W + b$ for all points
# at once. What is new is what happens to $z$, which is called the **logit**. It may be any number, and we
# want a probability. The **sigmoid** function makes one: it sends large logits near 1, very negative logits
# near 0, and 0 to one half.

# %%
z = np.linspace(-6, 6, 200).astype("float32")
fig, ax = plt.subplots(figsize=(5.6, 2.6), layout="constrained")
ax.plot(z, nn.to_numpy(nn.sigmoid(nn.asarray(z))), color=BLUE)
ax.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":")
ax.axvline(0.0, color=GREY, linewidth=0.8, linestyle=":")
ax.set_xlabel("logit z")
ax.set_ylabel("probability of class 1")
plt.show()

# %% [markdown]
# The loss is new as well. If the model gives the true class the probability $p$, we charge it $-\log p$:
# nothing for $p = 1$, and more and more as $p$ goes to zero. Being sure and wrong is expensive. This is the
# **cross-entropy**.
#
# Written directly, it goes wrong for large logits: the sigmoid rounds to exactly 0 or 1, and $\log 0$ is
# minus infinity. So it is computed from the logit. A little algebra turns $-\log p$ into $\log(1 + e^z) - y
# z$ for the label $y$, and $\log(1 + e^z)$, the **softplus** function, can be computed safely for any $z$.
# Compare the two for a point of class 1 with the logit −200:

# %%
z, label = nn.asarray(-200.0), 1.0
print("directly:  ", float(-nn.log(nn.sigmoid(z))))
print("from logit:", float(nn.softplus(z) - label * z))

# %% [markdown]
# Now the same loop as before. Nothing in it knows that this is another problem; only the loss has changed.

# %%
W, b = nn.Variable(nn.zeros((2, 1))), nn.Variable(nn.zeros((1,)))


def cross_entropy(x, y):
    """The mean of -log(probability of the true class)."""
    z = x @ W + b
    return nn.mean(nn.softplus(z) - y * z)


losses = []
for _ in range(200):
    with nn.GradientTape() as tape:
        loss = cross_entropy(x, y)
    gradients = tape.gradient(loss, [W, b])
    for variable, gradient in zip([W, b], gradients, strict=True):
        nn.assign_sub(variable, 0.5 * gradient)
    losses.append(float(nn.to_numpy(loss)))

said = nn.to_numpy(x @ W + b) > 0  # a positive logit means more than one half for class 1
accuracy = (said == (labels == 1)).mean()
print(f"loss: from {losses[0]:.3f} to {losses[-1]:.3f}")
print(f"accuracy: {accuracy:.1%} of the points are on their side")

# %% [markdown]
# The first loss is $\log 2 \approx 0.693$, and that is no accident: a model that knows nothing says one
# half to every point, and $-\log \frac12 = \log 2$. It is a good number to remember. If your two-class
# network begins far above it, something is wrong before training has started.
#
# Where the logit is 0, the model cannot decide: this is the **decision boundary**, $x_1 w_1 + x_2 w_2 + b =
# 0$. That is the equation of a straight line. We colour the plane by the probability.

# %%
def draw_boundary(ax, probability):
    """Colour the plane by the probability of class 1, and draw the points."""
    a, c = np.meshgrid(np.linspace(-4, 4, 120), np.linspace(-4, 4, 120))
    plane = np.stack([a.ravel(), c.ravel()], axis=1).astype("float32")
    p = probability(plane).reshape(a.shape)
    colours = ax.contourf(a, c, p, levels=np.linspace(0, 1, 11), cmap="PuOr_r", alpha=0.5)
    ax.contour(a, c, p, levels=[0.5], colors="black", linewidths=1.5)
    for label, colour in [(0, "#5e3c99"), (1, "#e66101")]:
        chosen = labels[:, 0] == label
        ax.scatter(*points_2d[chosen].T, s=14, color=colour, edgecolor="white", linewidth=0.4)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    return colours


fig, ax = plt.subplots(figsize=(5.6, 4.4), layout="constrained")
colours = draw_boundary(ax, lambda plane: nn.to_numpy(nn.sigmoid(nn.asarray(plane) @ W + b)))
fig.colorbar(colours, label="probability of class 1")
plt.show()

# %% [markdown]
# The black line is the boundary, and the colours on both sides say how sure the model is. Near the boundary
# it is not, and rightly so: the clouds overlap there. No matter how long we train a single layer, the
# boundary stays straight. Lesson 2 bends it.
#
# ## 6. Minibatches
#
# So far each step has looked at all points. With 300 points that is fine; with 300 million it is not. And
# it is wasteful: to know roughly which way is down, a few points are enough. So one takes a small random
# sample, a **minibatch**, makes a step, takes the next one, until all points have been seen. That is one
# **epoch**. Then the points are shuffled, and the next epoch begins. This is **stochastic gradient
# descent**, SGD.
#
# We go back to the line and its map, and walk down twice: with all 60 points in each step, and with 6 of
# them. Both see every point thirty times.

# %%
x_line, y_line = nn.asarray(x_data), nn.asarray(y_data)
w, b = nn.Variable(nn.zeros((1, 1))), nn.Variable(nn.zeros((1,)))


def walk(batch_size, epochs=30, learning_rate=0.1, seed=0):
    """Fit the line with minibatches, and return where it went: rows of (w, b, loss on all points)."""
    random = np.random.default_rng(seed)
    nn.assign(w, nn.zeros_like(w))
    nn.assign(b, nn.zeros_like(b))
    steps = []

    def note():
        loss = float(nn.to_numpy(loss_of_line(x_line, y_line)))
        steps.append((float(nn.to_numpy(w)[0, 0]), float(nn.to_numpy(b)[0]), loss))

    note()
    for _ in range(epochs):
        order = random.permutation(len(x_data))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            xb, yb = nn.asarray(x_data[batch]), nn.asarray(y_data[batch])
            with nn.GradientTape() as tape:
                loss = loss_of_line(xb, yb)
            gradient_w, gradient_b = tape.gradient(loss, [w, b])
            nn.assign_sub(w, learning_rate * gradient_w)
            nn.assign_sub(b, learning_rate * gradient_b)
            note()
    return np.array(steps)


full, mini = walk(batch_size=60), walk(batch_size=6)
print(f"all 60 in a step: {len(full) - 1:3d} steps, loss {full[-1, 2]:.4f}")
print(f"6 in a step:      {len(mini) - 1:3d} steps, loss {mini[-1, 2]:.4f}")

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4), layout="constrained")
grid_w, grid_b = np.meshgrid(np.linspace(-0.3, 2.6, 80), np.linspace(-1.5, 0.2, 80))
errors = grid_w[..., None] * x_data[:, 0] + grid_b[..., None] - y_data[:, 0]
left.contourf(grid_w, grid_b, (errors**2).mean(axis=-1), levels=20, cmap="Blues")
left.plot(mini[:, 0], mini[:, 1], "-", color=ORANGE, linewidth=1, label="6 points in a step")
left.plot(full[:, 0], full[:, 1], "o-", color="black", markersize=3, linewidth=1, label="all 60 in a step")
left.set(xlabel="slope w", ylabel="intercept b", title="the way through the landscape", aspect="equal")
left.legend(loc="upper right")

right.plot(np.linspace(0, 30, len(mini)), mini[:, 2], color=ORANGE, label="6 points in a step")
right.plot(np.linspace(0, 30, len(full)), full[:, 2], color="black", label="all 60 in a step")
right.set(xlabel="epoch", ylabel="loss on all points", title="the loss", ylim=(0, None))
right.legend(frameon=False)
plt.show()

# %% [markdown]
# The black walk is smooth and has done 30 steps; the orange one staggers, but it has done 300, for about
# the same amount of computing, and is down in the valley after a few epochs. Once there it never rests:
# every minibatch has a slightly different idea of where the lowest point is. A smaller learning rate
# towards the end calms it.
#
# ## What to take along
#
# * A **tensor** is an array; a **variable** is one that may change; a **tape** records a computation and
#   gives gradients.
# * Learning means: a **model** with parameters, a **loss**, and steps against the **gradient**.
# * The **learning rate** has to be found by looking. Too large shows at once, too small shows as patience.
# * For numbers take the **squared error**, for classes the **cross-entropy** of **logits**.
# * **Minibatches** make many rough steps out of a few exact ones.
#
# ### Questions to think about
#
# 1. Why do we walk against the gradient of the *loss* and not of the *accuracy*?
# 2. The points of section 4 were made with noise of 0.4. What would the final loss be without noise? And
#    the best slope?
# 3. What happens to the decision boundary if all weights and the bias are doubled? And to the
#    probabilities?
#
# ### Exercises
#
# 1. Replace the squared error of section 4 by the mean *absolute* error, `nn.mean(nn.abs(...))`. Then move
#    a single point far away (`y_data[0] = 30`) and fit both. Which line cares more?
# 2. Fit a parabola: give the model a third parameter for $x^2$. Which lines have to change?
# 3. In section 6, multiply the learning rate by 0.9 after each epoch. What becomes of the staggering?
#
# <details><summary><b>Answers</b></summary>
#
# **Questions.** 1. The accuracy is a staircase: a small change of the weights moves no point across the
# boundary, so its gradient is zero nearly everywhere, and says nothing about where to go. 2. Zero, and
# exactly 2: without noise the line fits all points. 3. The boundary stays where it is, as $2z = 0$ where $z
# = 0$; the probabilities go towards 0 and 1. The model becomes surer of the same decisions.
#
# **Exercise 1.** The line of the squared error runs towards the far point, whose error of 30 counts 900;
# the line of the absolute error hardly moves, as its gradient for each point is just a sign. Such a loss is
# called *robust*.
#
# **Exercise 2.** Only the model: `x @ w + b` becomes `nn.concat([x, x**2], axis=1) @ w + b`, with `w` of
# shape `(2, 1)`. The loop stays as it is. For the model to be linear *in its parameters* it need not be a
# straight line.
#
# **Exercise 3.** It dies down: the steps become shorter, and the walk ends near the lowest point instead of
# around it. This is a *learning-rate schedule*. Decrease too fast, and the walk stops before it has
# arrived.
#
# </details>
