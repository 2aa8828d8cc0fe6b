// A course of presentations: the rows of one after the other, with nothing from the host between them.

// By one block. Once a guard has halted what is under way, its presentation is shown again and again, so that the
// increments that the host looks at are those that halted it.
KERNEL(advance) {
    const View<word> cursor = array<word>(t, 0); // where the course lies, and how many of its presentations were shown
    const bool halted = *array<const word>(t, 1).first != 0;
    const View<word> rows = array<word>(t, 2);
    const word time = cursor.first[1] - halted, size = rows.shape[0] * rows.shape[1];
    const word *shown = (const word *)cursor.first[0] + time * size;
    __syncthreads();
    for (word k = threadIdx.x; k < size; k += THREADS)
        rows.first[k] = shown[k];
    if (threadIdx.x == 0 && !halted)
        cursor.first[1] = time + 1;
}
