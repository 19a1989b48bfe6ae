"""Shell, Perl and other scripts, and folders that only a platform file describes."""
