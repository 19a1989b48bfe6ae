"""Detection: the folders, trees and claims that an ecosystem's detector works with."""
