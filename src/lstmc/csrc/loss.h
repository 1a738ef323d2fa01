/* loss.h -- losses whose value and gradient are found in one pass over the rows of a batch, values in float64 whatever the table.
 *
 *   squared_error   value = sum of (p - y)^2 / n,  d = (p - y) 2/n
 *   crossentropy    q = p / sum p, brought to 1e-7 .. 1 - 1e-7;  value = -sum y log q,  d = p sum y - y: with respect to the input of
 *                   the softmax that gave p. For a label in the place of y, y is 1 there and 0 elsewhere; one below 0 does not count.
 *
 * `value` and `d` may be NULL. A sum of n > 128 elements is that of two halves, the first of whole eights; one of fewer has eight
 * accumulators, which are added in pairs, and then what is left: NumPy's order. */
#define LOSS_SUM(NAME, A, ARGUMENTS, FIRST, SECOND, TERM) \
    static A NAME ARGUMENTS \
    { \
        if (n > 128) { \
            const ptrdiff_t half = n / 2 - n / 2 % 8, rest = n - half; \
            return NAME FIRST + NAME SECOND; \
        } \
        A s[8], total = 0; \
        ptrdiff_t i = 0; \
        if (n >= 8) { \
            UNROLL \
            for (int j = 0; j < 8; j++, i++) s[j] = TERM; \
            while (i < n - n % 8) { \
                UNROLL \
                for (int j = 0; j < 8; j++, i++) s[j] += TERM; \
            } \
            total = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7])); \
        } \
        for (; i < n; i++) total += TERM; \
        return total; \
    }
LOSS_SUM(FN(sum_of), T, (const T *y, ptrdiff_t n), (y, half), (y + half, rest), y[i])
LOSS_SUM(FN(wide_sum_of), double, (const T *p, ptrdiff_t n), (p, half), (p + half, rest), (double)p[i])
LOSS_SUM(FN(squares_of), double, (const T *p, const T *y, ptrdiff_t n), (p, y, half), (p + half, y + half, rest),
         ((double)p[i] - (double)y[i]) * ((double)p[i] - (double)y[i]))

/* q as a probability that has a logarithm; a NaN stays one */
INLINE double FN(possible)(double q)
{
    const double least = 1e-7, most = 1 - 1e-7;
    return q < least ? least : q > most ? most : q;
}

/* sum of y log q over the classes that y counts, 64 logarithms at a time */
static NOINLINE double FN(sum_of_logs)(const T *p, const T *y, double sum, ptrdiff_t n)
{
    double q[64], weight[64], v = 0;
    ptrdiff_t m = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        if (y[i] != 0 || !(p[i] == p[i])) {
            q[m] = FN(possible)((double)p[i] / sum);
            weight[m++] = (double)y[i];
        }
        if (m == 64 || i == n - 1) {
            vlog_f64(q, q, m);
            for (ptrdiff_t j = 0; j < m; j++) v += weight[j] * q[j];
            m = 0;
        }
    }
    return v;
}

static void FN(squared_error)(double *value, void *d, const void *p_, const void *y_, ptrdiff_t rows, ptrdiff_t n)
{
    const T *p = p_, *y = y_;
    const V scale = v_set1((T)(2.0 / (double)n));
    for (ptrdiff_t r = 0; value && r < rows; r++) value[r] = FN(squares_of)(p + r * n, y + r * n, n) / (double)n;
    for (ptrdiff_t i = 0, all = rows * n; d && i < all; i += VL)
        FN(store_upto)(d, i, all, v_mul(v_sub(FN(load_upto)(p, i, all), FN(load_upto)(y, i, all)), scale));
}

static void FN(crossentropy)(double *value, void *d_, const void *p_, const void *y_, const int64_t *label, ptrdiff_t rows, ptrdiff_t n)
{
    for (ptrdiff_t r = 0; value && r < rows; r++) {
        const T *p = (const T *)p_ + r * n;
        const double sum = FN(wide_sum_of)(p, n);
        if (!label) value[r] = FN(sum_of_logs)(p, (const T *)y_ + r * n, sum, n);
        else value[r] = label[r] < 0 ? 1 : FN(possible)((double)p[label[r]] / sum);
    }
    if (value && label) vlog_f64(value, value, rows);
    for (ptrdiff_t r = 0; value && r < rows; r++) value[r] = 0 - value[r];
    for (ptrdiff_t r = 0; d_ && r < rows; r++) {
        const T *p = (const T *)p_ + r * n, *y = label ? NULL : (const T *)y_ + r * n;
        T *d = (T *)d_ + r * n;
        if (!label) {
            const T total = FN(sum_of)(y, n);
            ptrdiff_t i = 0;
            for (; i + 4 <= n; i += VL)     /* fewer values are written faster one by one */
                FN(store_upto)(d, i, n, v_sub(v_mul(FN(load_upto)(p, i, n), v_set1(total)), FN(load_upto)(y, i, n)));
            for (; i < n; i++) d[i] = p[i] * total - y[i];
            continue;
        }
        if (label[r] < 0) {
            memset(d, 0, n * sizeof(T));
            continue;
        }
        memcpy(d, p, n * sizeof(T));
        d[label[r]] -= 1;
    }
}
#undef LOSS_SUM
