/* harness.h -- what the checks compute with and say: memory, inputs that are the same on every machine, hashes of results, tiles
 * and the ways in which one walk may be cut. */
#ifndef HARNESS_H
#define HARNESS_H
#include "lstmc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { G = LSTMC_SLOTS, MAX_ROWS = 64 };

extern const lstmc_kernels *k;      /* the table under test, its item size and its block of units */
extern size_t es;
extern ptrdiff_t nu;
extern int failures;

/* Memory: cache-line aligned, filled with a pattern, forgotten by cases ------------------------------------------ */

char *take(ptrdiff_t n);
int held(void);
void forget(int mark);              /* what has been taken since so much was held */
void poison(char *p, ptrdiff_t n);  /* the pattern again */
char *at(char *p, ptrdiff_t i);     /* element i; p may be NULL */
ptrdiff_t up(ptrdiff_t n);          /* whole blocks */

/* Inputs --------------------------------------------------------------------------------------------------------------------- */

void put(char *p, ptrdiff_t i, double v);
double get(const char *p, ptrdiff_t i);
char *zeros(ptrdiff_t n);
char *copy(const char *p, ptrdiff_t n);

/* n odd numbers of all the bits that the type holds, times 2^-shift: magnitudes below 1 for shift 0. Their products
 * and sums must be rounded, so that the order of a sum shows in its bits. */
char *dyadic(uint64_t seed, ptrdiff_t n, int shift);

/* n numbers that step through all bit patterns; between them both zeros, infinities, NaN, 1 and 1/2 */
char *patterns(ptrdiff_t n);

/* Results: any NaN counts as one, for its sign and payload are nobody's promise ------------------------------------------------------- */

void begin(void);
void hash_word(uint64_t word);
void hash(const char *p, ptrdiff_t n);
void hash_rows(const char *p, ptrdiff_t ld, ptrdiff_t rows, ptrdiff_t n);
void hash_panels(const char *p, ptrdiff_t ps, ptrdiff_t rows, ptrdiff_t slots, ptrdiff_t H);     /* [p][row][slot][NU] */

/* Prints the hash of a result the first time; the same case in other tiles or another way must have the same hash.
 * A case is: a name without blanks, then what else tells it from others. */
void end(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Tiles and ways ------------------------------------------------------------------------------------------------------------- */

/* tiles of at most mr rows, the last one what is left */
ptrdiff_t cut(lstmc_tile *tiles, ptrdiff_t rows, ptrdiff_t mr);
ptrdiff_t most_rows(ptrdiff_t rows);    /* up to which mr makes a difference */

/* how a walk is made, and by forward steps: through z, without what only training needs */
enum { AT_ONCE = 0, BACK = 1, GROUPWISE = 2, PARTS = 4, THROUGH_Z = 8, INFERENCE = 16 };

/* `a` as it is described by everything but begins, ends, back and sums, whose k0 .. k1 may be cut at `place` among others */
void go(lstmc_walk *a, int way, ptrdiff_t place);

/* an operand whose rows are one run */
lstmc_operand dense(const void *a, ptrdiff_t row_stride, ptrdiff_t k_stride, ptrdiff_t len);

/* B[k][n] in groups of columns */
char *columns(lstmc_columns B);

/* Functions by name, for options ------------------------------------------------------------------------------------------------- */

typedef struct { const char *name; lstmc_activation f; } named_function;
enum { FUNCTIONS = 11 };
extern const named_function functions[FUNCTIONS];

lstmc_options no_options(int cell);

/* The checks */
enum { LSTM, GRU, RNN };
void check_cells(void);         /* cells.c */
void check_norms(void);         /* norm.c */
void check_products(void);      /* products.c */
void check_packing(void);       /* packing.c */
void check_elementwise(void);   /* elementwise.c */
#endif
