/* dropout.h -- what a mask that is fixed in time does to the recurrent product of a gate g.
 *
 *   forward    U_g (m_g h')      backward    dh' = the sum over g, in the order of slots, of m_g (dG_g U_g)
 *
 * A slot then has rows of its own. Forward, those of all slots lie side by side, value by value, for one chain (lstmc_operand.apart);
 * backward each slot is a walk whose end is add_masked. What the first of two stages leaves for the second is masked where it arises,
 * and each slot of the first is a walk of its own: cells/gru_before.h.
 * Sources: Gal and Ghahramani 2016; Keras' recurrent_dropout, whose masks differ from gate to gate. */

/* dst = a b; whole blocks are written */
static void FN(multiply)(void *dst, const void *a, const void *b, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i += VL) v_store((T *)dst + i, v_mul(v_load((const T *)a + i), v_load((const T *)b + i)));
}

/* dst[k*slots + i] = a[k] b[k*slots + i]: the rows of several slots side by side */
INLINE void FN(multiply_slots)(T *dst, const T *a, const T *b, ptrdiff_t n, const int slots)
{
    for (ptrdiff_t k = 0; k < n; k++)
        for (int i = 0; i < slots; i++) dst[k * slots + i] = a[k] * b[k * slots + i];
}
static void FN(multiply_apart)(void *dst, const void *a, const void *b, ptrdiff_t n, ptrdiff_t slots)
{
    if (slots == LSTMC_SLOTS) FN(multiply_slots)(dst, a, b, n, LSTMC_SLOTS);
    else FN(multiply_slots)(dst, a, b, n, LSTMC_SLOTS - 1);
}

/* dh += mask sums */
static void FN(add_masked)(const lstmc_walk *w, const lstmc_spot *at)
{
    const lstmc_step *s = &w->step;
    EACH_OF_SPOT(
        const ptrdiff_t to = r * s->ld_dh + p * FN(NU) + lane;
        const V sum = v_load(FN(sums_at)(at, i) + (r - at->row) * FN(sums_rs)(at) + v * FN(NU));
        v_store((T *)s->dh + to, v_fma(v_load((const T *)s->mask + to), sum, v_load((const T *)s->dh + to)));
    )
}
