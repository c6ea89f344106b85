/* Levenberg-Marquardt on Chinchilla's law by hand: the steps of scaling_jax's LM, one lane after the other.

   Minimises sum_i huber_d(log(E + A N^-alpha + B D^-beta) - log L) over x = (ln E, ln A, ln B, alpha, beta).
   The loops over rows have no branches, so that a compiler makes vectors of them. */
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { K = 5, PAIRS = 15, PATIENCE = 30, MAX_STEPS = 500 };

typedef struct {
    int rows;
    const double *n, *d, *loss; /* logarithms */
    double delta;
} Table;

typedef struct {
    double value, gradient[K], curvature[K][K];
} Measured;

static void measure(const Table *t, const double *x, Measured *m)
{
    const double floor = exp(x[0]);
    const double a = x[1], b = x[2], alpha = x[3], beta = x[4], delta = t->delta;
    double value = 0, g0 = 0, g1 = 0, g2 = 0, g3 = 0, g4 = 0;
    double c00 = 0, c01 = 0, c02 = 0, c03 = 0, c04 = 0, c11 = 0, c12 = 0, c13 = 0, c14 = 0;
    double c22 = 0, c23 = 0, c24 = 0, c33 = 0, c34 = 0, c44 = 0;
#pragma omp simd reduction(+ : value, g0, g1, g2, g3, g4, c00, c01, c02, c03, c04, c11, c12, c13, c14, c22, c23, c24, c33, c34, c44)
    for (int i = 0; i < t->rows; i++) {
        const double size = exp(a - alpha * t->n[i]), data = exp(b - beta * t->d[i]);
        const double total = floor + size + data, part = 1 / total;
        const double r = log(total) - t->loss[i], far = fabs(r);
        const double inside = far <= delta ? 1.0 : 0.0;
        const double twice = inside * r * r + (1 - inside) * delta * (2 * far - delta);
        const double slope = inside * r + (1 - inside) * copysign(delta, r);
        const double w = inside + (1 - inside) * slope * slope / (twice + inside);
        const double j0 = floor * part, j1 = size * part, j2 = data * part;
        const double j3 = -t->n[i] * j1, j4 = -t->d[i] * j2;
        const double w0 = w * j0, w1 = w * j1, w2 = w * j2, w3 = w * j3, w4 = w * j4;
        value += 0.5 * twice;
        g0 += slope * j0, g1 += slope * j1, g2 += slope * j2, g3 += slope * j3, g4 += slope * j4;
        c00 += w0 * j0, c01 += w0 * j1, c02 += w0 * j2, c03 += w0 * j3, c04 += w0 * j4;
        c11 += w1 * j1, c12 += w1 * j2, c13 += w1 * j3, c14 += w1 * j4;
        c22 += w2 * j2, c23 += w2 * j3, c24 += w2 * j4;
        c33 += w3 * j3, c34 += w3 * j4, c44 += w4 * j4;
    }
    const double g[K] = {g0, g1, g2, g3, g4};
    const double c[PAIRS] = {c00, c01, c02, c03, c04, c11, c12, c13, c14, c22, c23, c24, c33, c34, c44};
    m->value = value;
    memcpy(m->gradient, g, sizeof g);
    for (int i = 0, at = 0; i < K; i++)
        for (int j = i; j < K; j++, at++) m->curvature[i][j] = m->curvature[j][i] = c[at];
}

/* (curvature + damping I) step = gradient, by Cholesky's factors. */
static void solve(const double curvature[K][K], const double *gradient, double damping, double *step)
{
    double l[K][K], y[K];
    for (int j = 0; j < K; j++) {
        double pivot = curvature[j][j] + damping;
        for (int p = 0; p < j; p++) pivot -= l[j][p] * l[j][p];
        l[j][j] = sqrt(fmax(pivot, 1e-300));
        for (int i = j + 1; i < K; i++) {
            double rest = curvature[i][j];
            for (int p = 0; p < j; p++) rest -= l[i][p] * l[j][p];
            l[i][j] = rest / l[j][j];
        }
    }
    for (int i = 0; i < K; i++) {
        y[i] = gradient[i];
        for (int p = 0; p < i; p++) y[i] -= l[i][p] * y[p];
        y[i] /= l[i][i];
    }
    for (int i = K - 1; i >= 0; i--) {
        step[i] = y[i];
        for (int p = i + 1; p < K; p++) step[i] -= l[p][i] * step[p];
        step[i] /= l[i][i];
    }
}

static double largest(const double curvature[K][K])
{
    double most = 0;
    for (int i = 0; i < K; i++) most = fmax(most, fabs(curvature[i][i]));
    return most;
}

static int usable(const Measured *m)
{
    double sum = m->value;
    for (int i = 0; i < K; i++) {
        sum += m->gradient[i];
        for (int j = i; j < K; j++) sum += m->curvature[i][j];
    }
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    return (bits >> 52 & 2047) != 2047; /* fast arithmetic takes isfinite for true */
}

/* One lane to its end, at x; how many steps it took. */
static int lane(const Table *t, double *x, double *value, double tol, double first, double reach)
{
    Measured at, trial;
    measure(t, x, &at);
    if (!usable(&at)) {
        *value = 1e300;
        return 1;
    }
    double damping = first * largest(at.curvature), growth = 2;
    int quiet = 0, steps = 1;
    for (; steps < MAX_STEPS; steps++) {
        double step[K], whole[K], to[K], decrement = 0, longest = 0, foreseen = 0;
        const double top = largest(at.curvature);
        solve(at.curvature, at.gradient, damping, step);
        solve(at.curvature, at.gradient, 64 * 2.220446049250313e-16 * top, whole);
        for (int i = 0; i < K; i++) {
            decrement += at.gradient[i] * whole[i];
            longest = fmax(longest, fabs(step[i]));
        }
        if (decrement <= 2 * tol * at.value || quiet >= PATIENCE || damping > 1e18 * top) break;
        const double shorter = -fmin(1, reach / fmax(longest, 1e-300));
        for (int i = 0; i < K; i++) to[i] = x[i] + (step[i] *= shorter);
        for (int i = 0; i < K; i++) {
            double bent = 0;
            for (int j = 0; j < K; j++) bent += at.curvature[i][j] * step[j];
            foreseen -= step[i] * (at.gradient[i] + 0.5 * bent);
        }
        measure(t, to, &trial);
        const double gain = at.value - trial.value;
        if (usable(&trial) && gain > 0) {
            const double off = foreseen > 0 ? 2 * gain / foreseen - 1 : -1;
            const double eased = fmin(1, fmax(0.1, 1 - off * off * off));
            quiet = gain > 4e3 * 2.220446049250313e-16 * at.value ? 0 : quiet + 1;
            memcpy(x, to, sizeof to);
            at = trial;
            damping = fmax(damping * eased, 1e-18 * largest(at.curvature));
            growth = 2;
        } else {
            damping *= growth;
            growth = fmin(2 * growth, 1e6);
        }
    }
    *value = at.value;
    return steps;
}

/* All lanes, starts (lanes, 5) overwritten by their ends; the number of steps. */
long run(int rows, const double *n, const double *d, const double *loss, double delta, int lanes, double *starts,
         double *values, double tol, double damping, double reach)
{
    const Table t = {rows, n, d, loss, delta};
    long steps = 0;
    for (int i = 0; i < lanes; i++) steps += lane(&t, starts + K * i, values + i, tol, damping, reach);
    return steps;
}
