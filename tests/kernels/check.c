/* check.c -- runs every kernel of one instruction set on awkward sizes and prints a hash of each result.
 *
 * The program is built once per instruction set; equal lines mean equal bits. Inputs are whole numbers times
 * powers of two from an integer generator, and nothing here calls a mathematical function, so the inputs are the
 * same on every machine. Only results that a caller may read are hashed, never padding. Every case is computed in
 * tiles of 1 .. mr rows, at once, by groups and in parts of its chains, so that all register tiles meet the same data: one hash for all.
 *
 *   check ISA
 */
#include "harness.h"

int main(int argc, char **argv)
{
    for (int bits = 32; bits <= 64; bits += 32) {
        k = argc == 2 ? lstmc_table(argv[1], bits / 8) : NULL;
        if (!k) {
            fprintf(stderr, "usage: check ISA, one that this program was built with and this machine can run\n");
            return 2;
        }
        es = (size_t)k->itemsize, nu = k->nu;
        check_cells();
        check_norms();
        check_products();
        check_packing();
        check_elementwise();
    }
    return failures != 0;
}
