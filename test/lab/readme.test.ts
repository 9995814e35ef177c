/**
 * The test that is printed in README.md, run as it is printed there.
 */
import 'virtual:readme'
