/* activations.h -- the elementwise functions that a gate or a candidate may have, and their slopes.
 *
 *   sigmoid, tanh                 functions.h                     slope of y = f(x)
 *   relu               max(0, x)                                  y > 0 ? 1 : 0
 *   affine             alpha x + beta                             alpha
 *   leaky_relu         x < 0 ? alpha x : x                        y < 0 ? alpha : 1
 *   thresholded_relu   x > alpha ? x : 0                          y == 0 ? 0 : 1
 *   scaled_tanh        alpha tanh(beta x)                         beta (alpha - y^2 / alpha)
 *   hard_sigmoid       max(0, min(1, alpha x + beta))             0 < y < 1 ? alpha : 0
 *   elu                x < 0 ? alpha (e^x - 1) : x                y < 0 ? y + alpha : 1
 *   softsign           x / (1 + |x|)                              (1 - |y|)^2
 *   softplus           log(1 + e^x)                               1 - e^-y
 *
 * A slope is a function of the result, since that is what a tape keeps. Values are selected by arithmetic on signs, so that a
 * NaN stays one. Source: ONNX operators LSTM, GRU, RNN; Keras' two hard sigmoids are (0.2, 0.5) and (1/6, 0.5). */

/* 1 where x > 0, else 0 */
INLINE V FN(positive)(V x) { return v_min(v_set1(1), v_max(v_set1(0), v_mul(x, v_set1((T)(REAL == 32 ? 0x1p126 : 0x1p1022))))); }

/* log(1 + e^x) = max(x, 0) + log1p(e^-|x|), by log1p(e) = 2 atanh(s), s = e / (2 + e) <= 1/3 */
INLINE V FN(softplus)(V x)
{
    enum { TERMS = REAL == 32 ? 8 : 17 };
    const V e = FN(v_exp)(v_neg_abs(x)), s = v_div(e, v_add(v_set1(2), e)), s2 = v_mul(s, s);
    V p = v_set1((T)(1.0 / (2 * TERMS + 1)));
    for (int i = TERMS - 1; i >= 0; i--) p = v_fma(p, s2, v_set1((T)(1.0 / (2 * i + 1))));
    return v_fma(v_add(s, s), p, v_max(v_set1(0), x));
}

/* y = f(y) for n vectors; one test of the function for all of them */
static void FN(activate)(const lstmc_activation *f, V *y, int n)
{
    const V a = v_set1((T)f->alpha), b = v_set1((T)f->beta), zero = v_set1(0), one = v_set1(1);
    const V lowest = v_set1((T)(REAL == 32 ? -0x1p126 : -0x1p1022));      /* times 0 it is 0, which -infinity is not */
    int j = 0;
#define EACH_VALUE for (; j < n; j++)
    switch (f->function) {
        case LSTMC_SIGMOID:
            for (; j + 6 <= n; j += 6) FN(sigmoids)(y + j, y + j, 6);
            for (; j + 4 <= n; j += 4) FN(sigmoids)(y + j, y + j, 4);
            for (; j + 2 <= n; j += 2) FN(sigmoids)(y + j, y + j, 2);
            EACH_VALUE y[j] = FN(v_sigmoid)(y[j]);
            break;
        case LSTMC_TANH:
            for (; j + 6 <= n; j += 6) FN(tanhs)(y + j, y + j, 6);
            for (; j + 4 <= n; j += 4) FN(tanhs)(y + j, y + j, 4);
            for (; j + 2 <= n; j += 2) FN(tanhs)(y + j, y + j, 2);
            EACH_VALUE y[j] = FN(v_tanh)(y[j]);
            break;
        case LSTMC_RELU: EACH_VALUE y[j] = v_max(zero, y[j]); break;
        case LSTMC_AFFINE: EACH_VALUE y[j] = v_fma(a, y[j], b); break;
        case LSTMC_LEAKY_RELU: EACH_VALUE y[j] = v_fma(a, v_min(zero, y[j]), v_max(zero, y[j])); break;
        case LSTMC_THRESHOLDED_RELU: EACH_VALUE y[j] = v_mul(v_max(lowest, y[j]), FN(positive)(v_sub(y[j], a))); break;
        case LSTMC_SCALED_TANH: EACH_VALUE y[j] = v_mul(a, FN(v_tanh)(v_mul(b, y[j]))); break;
        case LSTMC_HARD_SIGMOID: EACH_VALUE y[j] = v_max(zero, v_min(one, v_fma(a, y[j], b))); break;
        case LSTMC_ELU: EACH_VALUE y[j] = v_fma(a, FN(v_expm1)(v_min(zero, y[j])), v_max(zero, y[j])); break;
        case LSTMC_SOFTSIGN: EACH_VALUE y[j] = v_div(y[j], v_add(one, v_abs(y[j]))); break;
        case LSTMC_SOFTPLUS: EACH_VALUE y[j] = FN(softplus)(y[j]); break;
    }
}

/* the slope at y = f(x) of a function that is neither sigmoid nor tanh */
static V FN(other_slope)(const lstmc_activation *f, V y)
{
    const V a = v_set1((T)f->alpha), b = v_set1((T)f->beta), one = v_set1(1);
    V d = one;
    switch (f->function) {
        case LSTMC_RELU: d = FN(positive)(y); break;
        case LSTMC_AFFINE: d = a; break;
        case LSTMC_LEAKY_RELU: d = v_fnma(v_sub(one, a), FN(positive)(v_sub(v_set1(0), y)), one); break;
        case LSTMC_THRESHOLDED_RELU: d = FN(positive)(v_abs(y)); break;
        case LSTMC_SCALED_TANH: d = v_mul(b, v_sub(a, v_div(v_mul(y, y), a))); break;
        case LSTMC_HARD_SIGMOID: d = v_mul(a, v_mul(FN(positive)(y), FN(positive)(v_sub(one, y)))); break;
        case LSTMC_ELU: d = v_fma(FN(positive)(v_sub(v_set1(0), y)), v_sub(v_add(y, a), one), one); break;
        case LSTMC_SOFTSIGN: d = v_sub(one, v_abs(y)), d = v_mul(d, d); break;
        case LSTMC_SOFTPLUS: d = v_sub(one, FN(v_exp)(v_sub(v_set1(0), y))); break;
    }
    return d;
}

/* The slope at y = f(x), and 0 where `clip` bounded x: there y is f(clip) or f(-clip). */
INLINE V FN(slope)(const lstmc_activation *f, V y, const V *bounds)
{
    const V one = v_set1(1);
    V d;
    if (f->function == LSTMC_SIGMOID) d = v_mul(y, v_sub(one, y));
    else if (f->function == LSTMC_TANH) d = v_fnma(y, y, one);
    else d = FN(other_slope)(f, y);
    return bounds ? v_mul(d, v_mul(FN(positive)(v_abs(v_sub(y, bounds[0]))), FN(positive)(v_abs(v_sub(y, bounds[1]))))) : d;
}

/* f(-clip) and f(clip), for `slope`; whether there is a bound at all */
INLINE int FN(bounds_of)(const lstmc_activation *f, double clip, V *bounds)
{
    if (clip > 1e300) return 0;
    bounds[0] = v_set1((T)-clip);
    bounds[1] = v_set1((T)clip);
    FN(activate)(f, bounds, 2);
    return 1;
}
INLINE V FN(clipped)(V x, double clip) { return v_max(v_set1((T)-clip), v_min(v_set1((T)clip), x)); }
