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
# # Lesson 3: Mixing the levels
#
# Lesson 1 was the low level: tensors, a tape, a loop of our own. Lesson 2 was the high level: layers and
# `fit`. You do not have to choose. What is written at one level can be used at the other, in both
# directions:
#
# * a **layer of your own**, written with tensors, in a network that `fit` trains;
# * a **network of layers**, in a loop of your own with a tape.
#
# The first is for ideas that no ready-made layer has. The second is for trainings that `fit` cannot
# imagine: at the end of this lesson a network solves a differential equation without having seen a single
# solution.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np

import dualnn as dn

nn = dn.backend()  # or nn = dn.use("torch"), or nn = dn.use("tensorflow")
dn.seed(0)  # so that initial weights are the same each time
ORANGE, BLUE, GREEN, GREY = "#E69F00", "#0072B2", "#009E73", "#666666"
print(f"This is dualnn {dn.__version__} on {nn.name} {nn.__version__}")

# %% [markdown]
# ## 1. A layer of your own
#
# A hidden unit of a dense layer cuts the plane with a straight line. Some things are round, though. Here is
# a class that sits in the middle of the other one, and on two sides of it.

# %%
random = np.random.default_rng(0)
centres = np.array([[-1.2, 0.4], [1.2, -0.4]])
x = random.uniform(-2.5, 2.5, (500, 2)).astype("float32")
distance = np.sqrt(((x[:, None] - centres) ** 2).sum(axis=-1)).min(axis=1)
y = (distance < 0.8).astype(int)

# %% [markdown]
# We want units that each have a *place* in the plane, and that answer the more loudly the nearer a point
# is:
#
# $$ \varphi_k(x) = \exp\left(-\frac{\lVert x - c_k \rVert^2}{2 s_k^2}\right). $$
#
# Such a unit is called a **radial basis function**. Its centre $c_k$ and its width $s_k$ are to be learned.
#
# A layer of your own has three parts. `__init__` keeps the settings. `build` makes the weights, when the
# shape of the input is known. `call` computes the output from the input, in tensors, and `self.nn` is the
# namespace for it. There is nothing about gradients: whatever `call` computes, the tape can differentiate.

# %%
class RadialBasis(dn.Layer):
    """Maps points (batch, features) to how near they are to each of several places, (batch, units)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        """Make the weights."""
        features = input_shape[-1]
        anywhere = dn.initializers.RandomUniform(-2.0, 2.0)
        self.centres = self.add_weight((self.units, features), anywhere, name="centres")
        self.log_widths = self.add_weight((self.units,), "zeros", name="log_widths")

    def call(self, x):
        """Compute the output."""
        nn = self.nn
        differences = nn.expand_dims(x, axis=1) - self.centres  # (batch, units, features)
        squares = nn.sum(nn.square(differences), axis=-1)  # (batch, units)
        return nn.exp(-squares / (2 * nn.exp(2 * self.log_widths)))


# %% [markdown]
# Two details are worth a look. The width must be positive, and gradient descent knows no bounds; so we
# learn its *logarithm*, which may be anything. And the initial centres are drawn by `add_weight`, from the
# seed of the model: so they are the same on both backends.
#
# In a network it is a layer like any other:

# %%
model = dn.Sequential([RadialBasis(6), dn.layers.Dense(1)])
model.compile(
    optimizer=dn.optimizers.Adam(0.05),
    loss=dn.losses.BinaryCrossentropy(from_logits=True),
    metrics=[dn.metrics.BinaryAccuracy(threshold=0.0)],
)
model.fit(x, y[:, None], epochs=1, seed=1)
before = model.layers[0].get_weights()[0].copy()
model.fit(x, y[:, None], epochs=100)
model.summary()
print(f"accuracy: {model.evaluate(x, y[:, None])[1]:.1%}")

# %% [markdown]
# A weight of which one knows the meaning can be drawn. The circles below are the units, with their centres
# and widths after the training; a thin line leads to each from where its centre was after the first epoch.
# The sign is that of its weight in the last layer, the voice it has for class 1.

# %%
centres_found, log_widths = model.layers[0].get_weights()
voices = model.layers[1].get_weights()[0][:, 0]
a, c = np.meshgrid(np.linspace(-2.6, 2.6, 150), np.linspace(-2.6, 2.6, 150))
grid = np.stack([a.ravel(), c.ravel()], axis=1).astype("float32")
logits = model.predict(grid).reshape(a.shape)

fig, ax = plt.subplots(figsize=(6, 5.4), layout="constrained")
ax.contourf(a, c, logits, levels=[-1e9, 0, 1e9], colors=["#fdf3dd", "#d9eaf5"])
ax.contour(a, c, logits, levels=[0], colors="black")
ax.scatter(*x[y == 0].T, s=9, color=ORANGE)
ax.scatter(*x[y == 1].T, s=9, color=BLUE)
for start, centre, log_width, voice in zip(before, centres_found, log_widths, voices, strict=True):
    ax.plot(*zip(start, centre, strict=True), color="black", linewidth=0.7)
    ax.add_patch(plt.Circle(centre, np.exp(log_width), fill=False, color=GREY, linewidth=1.2))
    sign = "+" if voice > 0 else "\N{MINUS SIGN}"
    ax.text(*centre, sign, ha="center", va="center", fontsize=16, fontweight="bold", clip_on=True)
ax.set(xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
plt.show()

# %% [markdown]
# Units have wandered to where they are of use: one sits in each disc and says plus, and some others say
# minus outside. A dense layer would have had to approach the two discs with many straight lines.
#
# ## 2. A network in a loop of your own
#
# Now the other direction. A model is also a function: `model(x)` maps tensors to tensors, and
# `model.trainable_variables` is the list of all that can be learned. That is all that a tape needs.
#
# Let us write down what `fit` does. An optimizer has a method `apply`, which does one step on the
# variables.

# %%
def layers():
    """A small network for the two discs."""
    return dn.Sequential([dn.layers.Dense(24, activation="tanh"), dn.layers.Dense(1)])


model = layers()
loss_function = dn.losses.BinaryCrossentropy(from_logits=True)
optimizer = dn.optimizers.Adam(0.03)
random = np.random.default_rng(0)

own = []
for _ in range(30):
    order = random.permutation(len(x))
    total = 0.0
    for start in range(0, len(x), 50):
        batch = order[start : start + 50]
        xb, yb = nn.asarray(x[batch]), nn.asarray(y[batch, None])
        with nn.GradientTape() as tape:
            loss = loss_function(yb, model(xb, training=True))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        total += float(nn.to_numpy(loss)) / 10
    own.append(total)

# %% [markdown]
# `training=True` tells layers such as dropout that this is not yet serious. For comparison the same with
# `fit`; it starts from other weights and shuffles in another order, so the curves resemble each other and
# are not the same.

# %%
twin = layers()
twin.compile(optimizer=dn.optimizers.Adam(0.03), loss=loss_function)
history = twin.fit(x, y[:, None], batch_size=50, epochs=30, seed=0)

fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
ax.plot(range(1, 31), own, color=BLUE, label="a loop of our own")
ax.plot(range(1, 31), history.history["loss"], color=ORANGE, label="fit")
ax.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# If your loop does nothing else than this, take `fit`: it has the progress bar, the validation and the
# callbacks, and it compiles the loop, so that it is faster. A loop of your own is for the cases in which
# the loss is something that `fit` knows nothing of. Here is such a case.
#
# ## 3. A network that solves an equation
#
# A **differential equation** says how a function changes, and asks which function it is. Take
#
# $$ u'(t) = -2\,t\,u(t), \qquad u(0) = 1 . $$
#
# We let a network *be* the function: it takes $t$ and gives $u(t)$. There are no examples of what it should
# give. But we can check whether it obeys the equation! If we know the derivative of the network by its
# *input*, then
#
# $$ L = \frac1n \sum_i \left( u'(t_i) + 2\,t_i\,u(t_i) \right)^2 + \left( u(0) - 1 \right)^2 $$
#
# says how badly it does not. When this loss is zero, the equation holds. This idea is called a
# **physics-informed network**.
#
# The derivative by the input comes from a tape, and the gradient by the weights from a tape around it: a
# derivative of a derivative. Tapes nest.

# %%
u = dn.Sequential([
    dn.layers.Dense(24, activation="tanh"),
    dn.layers.Dense(24, activation="tanh"),
    dn.layers.Dense(1),
])
t = nn.asarray(np.linspace(-2, 2, 41, dtype="float32")[:, None])
zero = nn.asarray([[0.0]])
u(t)  # the first call makes the weights

steps = 500
optimizer = dn.optimizers.Adam(lambda step: 0.02 * (1 - step / steps))


def obedience():
    """How badly the network disobeys the equation and the initial value."""
    with nn.GradientTape() as tape:
        tape.watch(t)  # not a variable, so the tape has to be told
        value = u(t)
    slope = tape.gradient(value, t)
    return nn.mean(nn.square(slope + 2 * t * value)) + nn.mean(nn.square(u(zero) - 1))


snapshots, losses = {}, []
for step in range(steps + 1):
    if step in (0, 30, 100, steps):
        snapshots[step] = u.predict(nn.to_numpy(t))[:, 0]
    with nn.GradientTape() as tape:
        loss = obedience()
    optimizer.apply(tape.gradient(loss, u.trainable_variables), u.trainable_variables)
    losses.append(float(nn.to_numpy(loss)))

# %% [markdown]
# The function $e^{-t^2}$ has the derivative $-2t\,e^{-t^2}$ and the value 1 at zero, so it is the solution.
# The network was never told.

# %%
times = nn.to_numpy(t)[:, 0]
exact = np.exp(-(times**2))

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
left.plot(times, exact, color=ORANGE, linewidth=5, alpha=0.5, label="$e^{-t^2}$")
for (step, values), strength in zip(snapshots.items(), [0.25, 0.45, 0.7, 1.0], strict=True):
    left.plot(times, values, color=BLUE, alpha=strength, label=f"{step} steps")
left.set(xlabel="t", ylabel="u(t)")
left.legend(frameon=False, fontsize=9, loc="upper left", handlelength=1.2)
right.plot(losses, color=BLUE)
right.set(xlabel="step", ylabel="how badly the equation is violated", yscale="log")
plt.show()

print(f"largest error: {np.abs(snapshots[steps] - exact).max():.4f}")

# %% [markdown]
# At first the network is any curve. After 30 steps it has a hump in about the right place, since at $t = 0$ the
# equation asks for a slope of zero and the initial value for height one. After 100 steps it takes a good
# eye to tell it from the solution.
#
# ## 4. In between
#
# There are smaller ways to mix the levels, too.
#
# **A loss of your own** is a function of the targets and the predictions. Here is one that punishes guesses
# that are too low nine times as much as guesses that are too high. The best guess is then not the mean but
# a value that nine out of ten points stay below, a **quantile**.

# %%
def pinball(share):
    """A loss whose best prediction is larger than this share of the targets."""

    def loss(y_true, y_pred):
        nn = dn.namespace(y_pred)
        too_low = y_true - y_pred
        return nn.mean(nn.maximum(share * too_low, (share - 1) * too_low), axis=-1)

    return loss


random = np.random.default_rng(0)
x = random.uniform(-1, 1, (600, 1)).astype("float32")
spread = 0.15 + 0.35 * (x + 1) / 2  # more noise on the right
y = (np.sin(3 * x) + spread * random.normal(size=x.shape)).astype("float32")

fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
ax.scatter(x, y, s=8, color=GREY, alpha=0.5)
line = np.linspace(-1, 1, 100, dtype="float32")[:, None]
for share, colour in [(0.9, ORANGE), (0.5, BLUE), (0.1, GREEN)]:
    model = dn.Sequential([dn.layers.Dense(24, activation="tanh"), dn.layers.Dense(1)])
    model.compile(optimizer=dn.optimizers.Adam(0.01), loss=pinball(share))
    model.fit(x, y, epochs=150, batch_size=100, seed=0)
    below = (y < model.predict(x)).mean()
    ax.plot(line, model.predict(line), color=colour, linewidth=2, label=f"{share:.0%}: has {below:.0%} below")
ax.set(xlabel="x", ylabel="y")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# The middle curve follows the points; the outer two say how far they scatter, and that they scatter more on
# the right.
#
# **A callback** is code of your own that `fit` calls as it goes, after each epoch, say. And `model.native`
# is the model as the framework's own kind of module, over the very same weights: what you find for PyTorch
# or TensorFlow on the net can be used with it.

# %%
print(type(model.native).__mro__[1])
output = model.native(nn.asarray(line[:2]))
print(nn.to_numpy(output).ravel(), "=", model.predict(line[:2]).ravel())

# %% [markdown]
# ## What to take along
#
# * A **layer of your own**: `__init__` for settings, `build` for weights, `call` for the computation.
# * A **loop of your own**: `model(x, training=True)` on a tape, the gradient by
#   `model.trainable_variables`, `optimizer.apply`.
# * Anything that can be computed from tensors can be a loss, even a derivative of the network.
#
# ### Questions to think about
#
# 1. Why does `RadialBasis` make its weights in `build` and not in `__init__`?
# 2. What would happen in section 3 without the term $(u(0) - 1)^2$?
# 3. Could the radial units of section 1 be replaced by a formula on the inputs, so that `Dense` alone is
#    enough?
#
# ### Exercises
#
# 1. Start section 1 with 2 radial units instead of 6. Is it always enough? Try several seeds.
# 2. Solve $u'(t) = \cos(t)$ with $u(0) = 0$ by changing two lines of section 3. Which function must come
#    out?
# 3. Write a layer `Scale` with one weight per feature, which multiplies its input by it. What should the
#    weights be at first?
#
# <details><summary><b>Answers</b></summary>
#
# **Questions.** 1. The shape of the centres depends on the number of features, which is known only when
# data come. 2. The function $u = 0$ obeys the equation perfectly, and so does every multiple of $e^{-t^2}$;
# the network would settle for one of them. 3. Yes, if the centres are known: $\lVert x - c\rVert^2$ is a
# feature like any other. But to know them one has to look at the data; the layer finds them itself.
#
# **Exercise 1.** It is when each unit finds its own disc; then the picture is as good as a picture can be.
# From an unlucky start both run to the same disc. With more units than needed, some are always near.
#
# **Exercise 2.** The residual becomes `slope - nn.cos(t)`, and the initial value `u(zero)`. It must be
# $\sin t$.
#
# **Exercise 3.** Ones, so that the layer does nothing before it has learned: `self.add_weight((features,),
# "ones")` in `build`, `return x * self.scale` in `call`.
#
# </details>
