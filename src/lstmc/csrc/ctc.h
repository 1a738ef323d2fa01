/* ctc.h -- Connectionist Temporal Classification (Graves, Fernandez, Gomez and Schmidhuber 2006) of one sequence: the loss, and its gradient
 * with respect to the logits.
 *
 * A class for each of T frames is a path; it says the labels that are left when repetitions are merged and then blanks dropped. The
 * loss is -log p, p the probability of all paths that say the labels. Its states are l = blank, label 1, blank, .., label L, blank:
 * S = 2 L + 1. With log y_t = log softmax of frame t, lse(..) = log of the sum of exp(..), and "from two before" where a label
 * differs from the one before it:
 *
 *   a_t(s) = log y_t(l_s) + lse(a_t-1(s), a_t-1(s - 1), a_t-1(s - 2) from two before)       all paths into state s at t
 *   b_t(s) = lse(c(s), c(s + 1), c(s + 2) from two before),  c(s) = log y_t+1(l_s) + b_t+1(s)   all paths out of it
 *   log p  = lse(a_T-1(S - 1), a_T-1(S - 2))
 *   d(-log p) / d logit_t(k) = y_t(k) - sum over s with l_s = k, in their order, of exp(a_t(s) + b_t(s) - log p)
 *
 * Before the first frame there is one way in, at state -1, and after the last one way out, at state S. What no path reaches is
 * -infinity; so are the values around a row, and "from two before" is 0 or -infinity to be added. Vectors run over states, whose values
 * do not depend on their lanes.
 *
 * All of it is in float64, for float32 logits too: log p is a sum over all frames, so that hundreds are usual, where the spacing of
 * float32 is 3e-5, and the gradient is exp of differences of such sums. Without a path the loss is infinity and the gradient 0;
 * NaN, infinity or no finite value in a frame make loss and gradient NaN, in this sequence alone. */

/* e^x and 0 below -700: results near the subnormal ones, 0 out of -infinity too, would cost a hundred cycles each */
#define CTC_LEAST (-700)
INLINE V FN(exp_or_0)(V x)
{
    const V least = v_set1(CTC_LEAST);
    return v_sub(FN(v_exp)(v_max(least, x)), FN(v_exp)(least));
}

/* a NaN in the last argument stays one; so do NaNs in all of them */
INLINE V FN(lse3)(V c, V b, V a)
{
    const V upper = v_max(b, a), lower = v_min(b, a), top = v_max(c, upper), middle = v_min(c, upper);
    const V finite = v_max(v_set1(-1e300), top);       /* -infinity less -infinity would be NaN */
    const V least = v_set1(CTC_LEAST);                  /* nothing beside 1 */
    const V sum = v_add(FN(v_exp)(v_max(least, v_sub(lower, finite))), FN(v_exp)(v_max(least, v_sub(middle, finite))));
    return v_add(top, FN(log_normal)(v_add(v_set1(1), sum), v_set1(0)));
}

/* x becomes x - log sum exp x: a row of n values and -infinity up to whole blocks; e as scratch */
static void FN(log_softmax)(T *x, T *e, ptrdiff_t n)
{
    T lanes[VL];
    V top = v_load(x);
    for (ptrdiff_t i = VL; i < n; i += VL) top = v_max(top, v_load(x + i));
    v_store(lanes, top);
    for (int i = 1; i < VL; i++) lanes[0] = lanes[i] > lanes[0] ? lanes[i] : lanes[0];      /* a lost NaN makes the sum NaN */
    top = v_set1(lanes[0]);
    for (ptrdiff_t i = 0; i < n; i += VL) v_store(e + i, FN(exp_or_0)(v_sub(v_load(x + i), top)));
    const V shift = v_add(top, FN(log_normal)(v_set1(FN(sum)(e, n)), v_set1(0)));
    for (ptrdiff_t i = 0; i < n; i += VL) v_store(x + i, v_sub(v_load(x + i), shift));
}

/* log y of every state of a frame */
INLINE void FN(emissions)(T *e, const T *row, const lstmc_ctc *s)
{
    const T blank = row[s->blank];
    for (ptrdiff_t i = 0; i < s->n_labels; i++) {
        e[2 * i] = blank;
        e[2 * i + 1] = row[s->labels[i]];
    }
    e[2 * s->n_labels] = blank;
}

static void FN(fill)(T *p, T value, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++) p[i] = value;
}

/* log p, and a_t in row t + 1 of `a` (of as many as are kept) */
static T FN(ctc_alpha)(const lstmc_ctc *s, T *scratch, T *e, const T *two, T *a, ptrdiff_t kept)
{
    const ptrdiff_t S = 2 * s->n_labels + 1;
    T *to = a, last[VL];
    FN(fill)(a - LSTMC_CTC_PAD, -INFINITY, s->lds);
    a[-1] = 0;
    for (ptrdiff_t t = 0; t < s->n_frames; t++) {
        T *row = s->rows + t * s->ld;
        const T *from = to;
        to = a + (t + 1) % kept * s->lds;
        FN(log_softmax)(row, scratch, s->n_classes);
        FN(emissions)(e, row, s);
        FN(fill)(to - LSTMC_CTC_PAD, -INFINITY, LSTMC_CTC_PAD);
        for (ptrdiff_t i = 0; i <= S; i += VL) {
            const V before = v_add(v_load(from + i - 2), v_load(two + i));
            v_store(to + i, v_add(v_load(e + i), FN(lse3)(before, v_load(from + i - 1), v_load(from + i))));
        }
    }
    v_store(last, FN(lse3)(v_set1(-INFINITY), v_set1(to[S - 2]), v_set1(to[S - 1])));
    return last[0];
}

/* rows become gradients, and rows of `a` what passes through each state; b as scratch */
static void FN(ctc_beta)(const lstmc_ctc *s, T log_p, T *e, const T *two, T *a, T *b)
{
    const ptrdiff_t S = 2 * s->n_labels + 1;
    const V total = v_set1(log_p);
    FN(fill)(b - LSTMC_CTC_PAD, -INFINITY, s->lds);
    b[S] = 0;
    for (ptrdiff_t t = s->n_frames - 1; t >= 0; t--) {
        T *row = s->rows + t * s->ld, *through = a + (t + 1) * s->lds;
        FN(emissions)(e, row, s);
        for (ptrdiff_t i = 0; i <= S; i += VL) {        /* S too, which leads nowhere from now on */
            const V out = FN(lse3)(v_add(v_load(b + i + 2), v_load(two + i + 2)), v_load(b + i + 1), v_load(b + i));
            v_store(through + i, FN(exp_or_0)(v_sub(v_add(v_load(through + i), out), total)));
            v_store(b + i, v_add(v_load(e + i), out));
        }
        for (ptrdiff_t i = 0; i < s->n_classes; i += VL) v_store(row + i, FN(exp_or_0)(v_load(row + i)));
        for (ptrdiff_t i = 0; i < s->n_labels; i++) {
            row[s->blank] -= through[2 * i];
            row[s->labels[i]] -= through[2 * i + 1];
        }
        row[s->blank] -= through[S - 1];
    }
}

static double FN(ctc)(const lstmc_ctc *s)
{
    const ptrdiff_t S = 2 * s->n_labels + 1;
    T *scratch = s->work, *e = scratch + s->ld + LSTMC_CTC_PAD, *two = e + s->lds, *b = two + s->lds, *a = b + s->lds;
    FN(fill)(e - LSTMC_CTC_PAD, -INFINITY, 2 * s->lds);
    for (ptrdiff_t i = 0; i < s->n_labels; i++)
        if (i == 0 || s->labels[i] != s->labels[i - 1]) two[2 * i + 1] = 0;
    two[S] = 0;
    const T log_p = FN(ctc_alpha)(s, scratch, e, two, a, s->gradient ? s->n_frames + 1 : 2);
    if (s->gradient) {
        if (log_p > -INFINITY) FN(ctc_beta)(s, log_p, e, two, a, b);
        else FN(fill)(s->rows, log_p == -INFINITY ? 0 : log_p, s->n_frames * s->ld);
    }
    return 0 - log_p;       /* never -0 */
}
#undef CTC_LEAST
