"""What every stage may use: diagnostics, element types, affine expressions, layers, resources."""
