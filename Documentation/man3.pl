#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# man3.pl HEADER VERSION DATE DIR: cut kernel-doc's man output (stdin) into one
# file for each function and type, in the form that section 3 has. A function
# that stands for a family, which a macro makes, gives a page with all names.
use strict;
use warnings;

my ($header, $version, $date, $dir) = @ARGV;
my @ints = qw(u8 u16 u32 u64);
my @fixed = qw(le16 le32 le64 be16 be32 be64);

# All names of the family that a name stands for, that one among them.
sub family
{
	my ($name) = @_;

	return map { $name =~ s/^gm_[a-z]+/gm_$_/r } qw(gpa iova roff)
		if $name =~ /^gm_gpa(_(?!t$)|$)/;
	return map { $name =~ s/le32/$_/r } @fixed, qw(lesize besize)
		if $name =~ /^gm_(cpu_to_)?le32/;
	return map { $name =~ s/le32$/$_/r } @fixed if $name =~ /_le32$/;
	return map { $name =~ s/u32$/$_/r } @ints if $name =~ /_u32$/;
	return $name;
}

sub escape
{
	my ($text) = @_;

	$text =~ s/@(\w+)/\\fI$1\\fP/g;
	$text =~ s/(?<![\w\\])-/\\-/g;
	$text =~ s/^([.'])/\\&$1/;
	return $text;
}

# A prototype, broken after commas where a line would get too long.
sub prototype_lines
{
	my ($type, $name, @args) = @_;
	my $line = "$type $name(";
	$line =~ s/\* /*/;
	my @lines;

	while (defined(my $arg = shift @args)) {
		my $piece = $arg . (@args ? ", " : ");");
		if (length($line . $piece) > 76) {
			push @lines, $line =~ s/ $//r;
			$line = "    ";
		}
		$line .= $piece;
	}
	return (@lines, $line);
}

# Paragraphs; blank lines are between them.
sub text
{
	shift while @_ && $_[0] eq '';
	return join '', map { $_ eq '' ? ".PP\n" : escape($_) . "\n" } @_;
}

# What is returned, one case a line: cut at semicolons outside of parentheses.
sub cases
{
	my $all = join ' ', @_;
	my ($depth, $case, @cases) = (0, '');

	for my $c (split //, $all) {
		$depth += ($c eq '(') - ($c eq ')');
		if ($c eq ';' && !$depth) {
			push @cases, $case;
			$case = '';
		} else {
			$case .= $c unless $case eq '' && $c eq ' ';
		}
	}
	push @cases, $case if $case ne '';
	return join ".br\n", map { escape($_) . "\n" } @cases;
}

sub synopsis
{
	my ($name, @lines) = @_;
	my (@code, $type, @args);

	for (@lines) {
		if (/^\.B "(.*)" \w+$/) {
			$type = $1;
		} elsif (defined $type && /^\.BI "\(?(.*?) ?"  "(,|\);)"$/) {
			push @args, $1 eq '' ? 'void' : $1;
		} elsif (defined $type && /^\.BI "\(?(.*?) ?(\(\*\w*|\w*) "  "(.*)"$/) {
			push @args, $1;
		} elsif (/^, *$/) {
			$code[-1] .= ',';
		} elsif (/^\.BI "(.+?)"$/) {
			push @code, $1;
		} elsif (!/^\.br$/ && !/^\.BI "$/ && $_ ne '') {
			push @code, $_ eq '"' ? () : s/"$//r;
		}
	}
	@code = prototype_lines($type, $name, @args) if defined $type;
	return ".nf\n.B #include <$header>\n.PP\n" .
	       join('', map { "\\fB" . s/-/\\-/gr . "\\fP\n" } @code) . ".fi\n";
}

sub page
{
	my ($title, %section) = @_;
	my $name = $title =~ s/^(struct|enum|union) //r;
	my @names = family($name);
	my ($purpose) = ($section{NAME}[0] // '') =~ /\\- (.*)/;
	my $out = ".TH $name 3 \"$date\" \"guestmem $version\" \"guestmem manual\"\n";

	$out .= ".SH NAME\n" . join(", ", @names) . " \\- " . ($purpose =~ s/@//gr) . "\n";
	$out .= ".SH SYNOPSIS\n" . synopsis($name, @{$section{SYNOPSIS}});
	$out .= ".PP\nLikewise for " . join(", ", grep { $_ ne $name } @names) . ".\n" if @names > 1;
	for my $list (grep { $section{$_} } 'ARGUMENTS', 'Members', 'Constants') {
		my @lines = grep { $_ ne '' } @{$section{$list}};
		# An anonymous union is shown above; it has no name to explain.
		@lines = split /\n/, join("\n", @lines) =~ s/^\.IP "\{unnamed.*\n(?!\.).*\n//mr;
		next unless @lines && $lines[0] !~ /^\.IP "void"/;
		$out .= ".SH " . uc($list) . "\n";
		$out .= join '', map { /^\.IP/ ? "$_\n" : escape($_) . "\n" } @lines;
	}
	$out .= ".SH DESCRIPTION\n" . text(@{$section{DESCRIPTION}}) if $section{DESCRIPTION};
	$out .= ".SH RETURN VALUE\n" . cases(@{$section{RETURN}}) if $section{RETURN};
	$out .= ".SH SEE ALSO\n.BR guestmem (7)\n";

	open my $f, '>', "$dir/$name.3" or die "$dir/$name.3: $!\n";
	print $f ".\\\" Made from $header\n$out";
	close $f or die "$dir/$name.3: $!\n";
	for my $other (grep { $_ ne $name } @names) {
		symlink "$name.3", "$dir/$other.3" or die "$dir/$other.3: $!\n";
	}
}

my ($title, $at, %section);
while (<STDIN>) {
	chomp;
	if (/^\.TH "([^"]*)" \d+ "([^"]*)"/) {
		page($title, %section) if defined $title;
		($title, $at, %section) = ($2, '');
	} elsif (/^\.SH "?([^"]*)"?$/) {
		$at = $1 =~ s/^(Description|Return)$/\U$1/r;
	} else {
		push @{$section{$at}}, $_;
	}
}
page($title, %section) if defined $title;
