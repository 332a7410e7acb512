"""The kernels' mathematics for one number at a time, as C99 for exported models.

Each piece repeats what hmlc/_core/c does in a lane of a vector, operation by operation, so that an
exported model's answers have the same bits. In the text REAL is float or double, FMA, SQRT and
FABS are its functions, R(1.5) is its constant, and NAME the model's.
"""

import re

import numpy as np

FUNCTIONS = {
    "round": """
/* The whole number next to x, ties to even, for small x. */
static inline REAL NAME_round(REAL x) {
    const REAL shift = R(1.5) * (REAL)(1LL << MANTISSA);
    return (x + shift) - shift;
}
""",
    "exp_parts": """
/* exp(x) = scale (1 + p): x = n ln 2 + r with |r| <= ln 2 / 2, scale = 2^n, and p = exp(r) - 1 by
 * Taylor's series. */
static inline REAL NAME_exp_parts(REAL x, REAL *scale) {
    static const REAL inverse_factorial[] = {
        1, 1, R(1.) / 2, R(1.) / 6, R(1.) / 24, R(1.) / 120, R(1.) / 720, R(1.) / 5040,
        R(1.) / 40320, R(1.) / 362880, R(1.) / 3628800, R(1.) / 39916800, R(1.) / 479001600,
        R(1.) / R(6227020800.)};
    const REAL n = NAME_round(x * R(1.44269504088896340736));
    const REAL r = FMA(n, -LN2_LOW, FMA(n, -LN2_HIGH, x));
    REAL p = inverse_factorial[EXP_DEGREE];
    for (int k = EXP_DEGREE - 1; k >= 2; k--)
        p = FMA(p, r, inverse_factorial[k]);
    *scale = (REAL)ldexp(1.0, (int)n);
    return FMA(r * r, p, r);
}
""",
    "exp": """
/* exp(x); 0 where that is no normal number. */
static inline REAL NAME_exp(REAL x) {
    if (x != x)
        return x;
    if (x < EXP_LOW)
        return 0;
    if (x > EXP_HIGH)
        return (REAL)INFINITY;
    REAL scale;
    const REAL p = NAME_exp_parts(x, &scale);
    return FMA(p, scale, scale);
}
""",
    "sigmoid": """
static inline REAL NAME_sigmoid(REAL x) {
    return 1 / (1 + NAME_exp(0 - x));
}
""",
    "tanh": """
/* -m / (2 + m) with m = exp(-2 |x|) - 1, and the sign of x. */
static inline REAL NAME_tanh(REAL x) {
    if (x != x)
        return x;
    const REAL t = -2 * FABS(x);
    REAL scale;
    const REAL p = NAME_exp_parts(t < -40 ? -40 : t, &scale);
    const REAL m = FMA(scale, p, scale - 1);
    const REAL y = (0 - m) / (2 + m);
    return x < 0 ? 0 - y : y;
}
""",
    "relu": """
static inline REAL NAME_relu(REAL x) {
    return x < 0 ? 0 : x;
}
""",
    "softplus": """
/* log(1 + exp(x)) = max(x, 0) + log(1 + t), t = exp(-|x|): up to sqrt 2 - 1 by
 * 2 atanh(t / (2 + t)), above by log 2 + 2 atanh((t - 1) / (t + 3)). */
static inline REAL NAME_softplus(REAL x) {
    const REAL t = NAME_exp(0 - FABS(x));
    const int is_large = R(0.41421356) < t;
    const REAL s = is_large ? (t - 1) / (t + 3) : t / (t + 2), s2 = s * s;
    REAL p = R(2.) / (2 * ATANH_TERMS + 1);
    for (int k = ATANH_TERMS - 1; k >= 1; k--)
        p = FMA(p, s2, R(2.) / (REAL)(2 * k + 1));
    const REAL y = FMA(s * s2, p, s + s);
    return (x < 0 ? 0 : x) + (is_large ? y + R(0.69314718055994530942) : y);
}
""",
    "minus_pi": """
/* x - n pi, pi in three parts: products with n are exact. */
static inline REAL NAME_minus_pi(REAL x, REAL n) {
    return FMA(n, -PI_LOW, FMA(n, -PI_MIDDLE, FMA(n, -PI_HIGH, x)));
}
""",
    "sin": """
/* sin(x) = (-1)^n sin(x - n pi), by Taylor's series; for small x. */
static inline REAL NAME_sin(REAL x) {
    static const REAL coefficient[] = {
        1, R(-1.) / 6, R(1.) / 120, R(-1.) / 5040, R(1.) / 362880, R(-1.) / 39916800,
        R(1.) / R(6227020800.), R(-1.) / R(1307674368000.), R(1.) / R(355687428096000.),
        R(-1.) / R(121645100408832000.), R(1.) / R(51090942171709440000.)};
    const REAL n = NAME_round(x * R(0.31830988618379067154));
    const REAL r = NAME_minus_pi(x, n), r2 = r * r;
    REAL p = coefficient[SINE_TERMS - 1];
    for (int k = SINE_TERMS - 2; k >= 1; k--)
        p = FMA(p, r2, coefficient[k]);
    p = FMA(r * r2, p, r);
    const REAL half = n * R(0.5), odd = FABS(half - NAME_round(half));
    return FMA(-4 * odd, p, p);
}
""",
    "turn": """
/* 64 bits, from bit `first` on, of 1 / (2 pi) after 64 zeros. */
static inline uint64_t NAME_inverse_turn(int first) {
    static const uint32_t bits[] = {
        0x00000000, 0x00000000, 0x28BE60DB, 0x9391054A, 0x7F09D5F4, 0x7D4D3770, 0x36D8A566,
        0x4F10E410, 0x7F9458EA, 0xF7AEF158, 0x6DC91B8E, 0x909374B8, 0x01924BBA, 0x82746487,
        0x3F877AC7, 0x2C4A69CF, 0xBA208D7D, 0x4BAED121, 0x3A671C09, 0xAD17DF90, 0x4E64758E,
        0x60D4CE7D, 0x272117E2, 0xEF7E4A0E, 0xC7FE25FF, 0xF7816603, 0xFBCBC462, 0xD6829B47,
        0xDB4D9FB3, 0xC9F2C26D, 0xD3D18FD9, 0xA797FA8B, 0x5D49EEB1, 0xFAF97C5E, 0xCF41CE7D,
        0xE294A4BA, 0x9AFED7EC, 0x47E35742};
    const uint32_t *word = bits + first / 32;
    const int shift = first % 32;
    const uint64_t high = (uint64_t)word[0] << 32 | word[1];
    return shift == 0 ? high : high << shift | word[2] >> (32 - shift);
}

/* x less whole turns, between -pi and pi: far out by Payne and Hanek (1983), for which only those
 * bits of 1 / (2 pi) matter that make no whole turns. */
static inline REAL NAME_turn(REAL x) {
    if (FABS(x) <= TURN_LIMIT) {
        const REAL n = NAME_round(x * R(0.15915494309189533577));
        return NAME_minus_pi(x, n + n);
    }
    int e;
    const uint64_t m = (uint64_t)ldexp(frexp(fabs((double)x), &e), 53);
    const uint64_t high = NAME_inverse_turn(11 + e), low = NAME_inverse_turn(75 + e);
    const uint64_t m1 = m >> 32, m0 = m & 0xFFFFFFFF, l1 = low >> 32, l0 = low & 0xFFFFFFFF;
    const uint64_t fraction = m * high + m1 * l1 + ((m1 * l0) >> 32) + ((m0 * l1) >> 32);
    const double turns = fraction >> 63 ? -(double)(0 - fraction) : (double)fraction;
    const double angle = turns * (6.283185307179586 / 18446744073709551616.);
    return (REAL)(x < 0 ? -angle : angle);
}
""",
    "divide": """
/* a / scale, by a product with inverse = 1 / scale and its remainder (Markstein 1990). */
static inline REAL NAME_divide(REAL a, REAL scale, REAL inverse) {
    const REAL q = a * inverse;
    return FMA(FMA(-q, scale, a), inverse, q);
}
""",
    "polynomials": """
/* columns[d], ...: all products of 2 to `degree` of the d numbers z, in graded lexicographic order.
 * Those of one degree that begin with z[i] are z[i] times the last so many of one degree less. */
static inline void NAME_polynomials(const REAL *z, int d, int degree, REAL *columns) {
    const REAL *source = z;
    long long source_length = d, column = d;
    for (int k = 2; k <= degree; k++) {
        const long long first = column;
        long long length = source_length;
        for (int i = 0; i < d; i++) {
            const REAL *factors = source + (source_length - length);
            for (long long j = 0; j < length; j++)
                columns[column + j] = z[i] * factors[j];
            column += length;
            length = length * (d - i - 1) / (d - i + k - 2);
        }
        source = columns + first;
        source_length = column - first;
    }
}
""",
    "sinusoids": """
/* columns = sin(z), sin(2 z), ..., sin(degree z), each of d numbers. */
static inline void NAME_sinusoids(const REAL *z, int d, int degree, REAL *columns) {
    for (int j = 0; j < d; j++) {
        const REAL angle = NAME_turn(z[j]);
        for (int k = 1; k <= degree; k++)
            columns[(k - 1) * d + j] = NAME_sin((REAL)k * angle);
    }
}
""",
    "dot": """
/* The sum of a[j] b[j], j < n, by LANES interleaved sums, which are added in halves. */
static inline REAL NAME_dot(const REAL *a, const REAL *b, int n) {
    REAL sum[LANES] = {0};
    for (int j = 0; j < n; j++)
        sum[j % LANES] = FMA(a[j], b[j], sum[j % LANES]);
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            sum[i] += sum[i + half];
    return sum[0];
}
""",
    "chain": """
/* start plus the sum of a[j] b[j], j < n, in order. */
static inline REAL NAME_chain(const REAL *a, const REAL *b, int n, REAL start) {
    for (int j = 0; j < n; j++)
        start = FMA(a[j], b[j], start);
    return start;
}
""",
    "largest": """
/* The index of the first of the n largest numbers. */
static inline int NAME_largest(const REAL *z, int n) {
    int at = 0;
    for (int i = 1; i < n; i++)
        if (z[at] < z[i])
            at = i;
    return at;
}
""",
    "softmax": """
/* The n numbers z become exp(z) / sum of exp(z). The largest is left out of the sum, which keeps
 * its digits. */
static inline void NAME_softmax(REAL *z, int n) {
    const int at = NAME_largest(z, n);
    const REAL peak = z[at];
    REAL others = 0;
    for (int c = 0; c < n; c++) {
        z[c] = NAME_exp(z[c] - peak);
        others += c == at ? 0 : z[c];
    }
    z[at] = 1;
    for (int c = 0; c < n; c++)
        z[c] = z[c] / (1 + others);
}
""",
    "layer": """
/* y = x W + b: W is inputs x outputs, and b lies behind it. */
static inline void NAME_layer(const REAL *x, int inputs, const REAL *W, int outputs, REAL *y) {
    for (int j = 0; j < outputs; j++)
        y[j] = W[inputs * outputs + j];
    for (int p = 0; p < inputs; p++)
        for (int j = 0; j < outputs; j++)
            y[j] = FMA(x[p], W[p * outputs + j], y[j]);
}
""",
}

CONSTANTS = {
    "float32": {
        "MANTISSA": "23",
        "LANES": "16",
        "EXP_DEGREE": "7",
        "ATANH_TERMS": "6",
        "SINE_TERMS": "7",
        "EXP_LOW": "R(-87.33654)",
        "EXP_HIGH": "R(88.37626)",
        "LN2_HIGH": "R(0.693359375)",
        "LN2_LOW": "R(-2.12194440e-4)",
        "PI_HIGH": "R(3.14111328125)",
        "PI_MIDDLE": "R(0.00047934055328369140625)",
        "PI_LOW": "R(3.1786509547056393e-8)",
        "TURN_LIMIT": "R(6e3)",
    },
    "float64": {
        "MANTISSA": "52",
        "LANES": "8",
        "EXP_DEGREE": "13",
        "ATANH_TERMS": "11",
        "SINE_TERMS": "11",
        "EXP_LOW": "-708.396418532264",
        "EXP_HIGH": "709.4361393",
        "LN2_HIGH": "6.93147180369123816490e-01",
        "LN2_LOW": "1.90821492927058770002e-10",
        "PI_HIGH": "3.1415926534682512",
        "PI_MIDDLE": "1.2154201012607932e-10",
        "PI_LOW": "4.0445324975919015e-21",
        "TURN_LIMIT": "6e6",
    },
}


def needed(text: str) -> list[str]:
    """Return this module's functions that C text calls, and those that they call, in order."""
    found = {name for name in FUNCTIONS if f"NAME_{name}(" in text}
    while True:
        inner = "".join(FUNCTIONS[name] for name in found)
        more = found | {name for name in FUNCTIONS if f"NAME_{name}(" in inner}
        if more == found:
            return [FUNCTIONS[name] for name in FUNCTIONS if name in found]
        found = more


def spelled(text: str, name: str, dtype: "np.dtype[np.floating]") -> str:
    """Return C text for a model's name and float type."""
    for word, constant in CONSTANTS[dtype.name].items():
        bracketed = f"({constant})" if "(-" in constant or constant[0] == "-" else constant
        text = re.sub(rf"\b{word}\b", bracketed, text)
    suffix = "f" if dtype.itemsize == 4 else ""
    text = re.sub(r"\bR\(([^()]*)\)", rf"\g<1>{suffix}", text)
    for function in ("FMA", "SQRT", "FABS"):
        text = re.sub(rf"\b{function}\(", f"{function.lower()}{suffix}(", text)
    text = re.sub(r"\bREAL\b", "float" if dtype.itemsize == 4 else "double", text)
    return re.sub(r"\bNAME(?=_|\b)", name, text)
